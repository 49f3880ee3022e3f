// htmx queues a second click on a dialog's button and sends it after the first. Here it is dropped.
document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("modal-content")?.setAttribute("hx-sync", "this:drop");
});
