// A dialog's form is sent once: htmx would send a second click after the first. What came back with errors, and so
// without the page to go to, may be sent again.
document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.dataset.sent) {
        event.preventDefault();
    } else if (event.target.matches("form")) {
        event.target.dataset.sent = "yes";
    }
});
document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.xhr.getResponseHeader("HX-Redirect")) {
        delete event.target.dataset.sent;
    }
});
