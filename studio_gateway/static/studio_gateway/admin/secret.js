// Copies what a button names. Where the browser has no clipboard for the page, as without TLS, it is selected instead.
document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copies]");
    if (!button) {
        return;
    }
    const text = document.getElementById(button.dataset.copies);
    const said = document.getElementById(button.getAttribute("aria-describedby"));
    try {
        await navigator.clipboard.writeText(text.textContent);
        said.textContent = "Copied.";
    } catch {
        getSelection().selectAllChildren(text);
        said.textContent = "Selected: copy it with your keyboard.";
    }
});
