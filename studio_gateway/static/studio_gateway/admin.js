// A dialog's form is sent once: htmx would send a second click after the first. What came back with errors, and so
// without a page to go to or to show, may be sent again.
document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.dataset.sent) {
        event.preventDefault();
    } else if (event.target.matches("form")) {
        event.target.dataset.sent = "yes";
    }
});
document.addEventListener("htmx:afterRequest", (event) => {
    const answer = event.detail.xhr;
    if (!answer.getResponseHeader("HX-Redirect") && !answer.getResponseHeader("HX-Retarget")) {
        delete event.target.dataset.sent;
    }
});
