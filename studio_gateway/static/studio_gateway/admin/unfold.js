// What unfold's pages lack for whoever uses them without a mouse, or hears them: it makes buttons of elements that no
// keyboard reaches, shows icons by the names of their glyphs, and lets the focus wander behind an open dialog.

const CLICKABLE =
    "[x-on\\:click]:not(a[href], button, input, select, label, #changelist-filter-close, :has(a, button, input))";
const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, [role=button]";

// Of what shows an icon and no text; others are named as their icon is.
const NAMES = {
    "[x-on\\:click*='sidebarDesktopOpen'], [x-on\\:click*='sidebarMobileOpen']": "Menu",
    "[x-on\\:click*='openTheme =']": "Theme",
    "[x-on\\:click*='openActionsId'], [x-on\\:click*='showActions']": "Actions",
    "[x-on\\:click*='openRelatedWidgetWrapper']": "Related",
    "div[x-on\\:click='openModal = false']": "Close",
    "#searchbar-submit": "Search",
    "#nav-sidebar a[href='/admin/']:has(> .material-symbols-outlined)": "Start",
};

function equip(root) {
    for (const element of root.querySelectorAll(CLICKABLE)) {
        element.role = "button";
        element.tabIndex = 0;
        const [, state] = element.getAttribute("x-on:click").match(/^(\w+) = !\1/) ?? [];
        if (state) {
            Alpine.effect(() => (element.ariaExpanded = String(Alpine.$data(element)[state])));
        }
    }
    for (const [selector, name] of Object.entries(NAMES)) {
        root.querySelectorAll(selector).forEach((element) => (element.ariaLabel = name));
    }
    for (const icon of root.querySelectorAll(".material-symbols-outlined:not([role])")) {
        const control = icon.closest("a, button, [role=button]");
        if (control && !control.ariaLabel && !control.title && control.textContent.trim() === icon.textContent.trim()) {
            control.ariaLabel = icon.textContent.trim().replaceAll("_", " ");
        }
        icon.ariaHidden = "true";
    }
    // Of Django's, which are spans with a label.
    root.querySelectorAll(".help-tooltip").forEach((tooltip) => (tooltip.role = "img"));
}

// Django's search fields name themselves after their value, which is often empty.
function nameSearchFields() {
    for (const select of document.querySelectorAll("select.select2-hidden-accessible")) {
        const field = select.nextElementSibling.querySelector("[role=combobox]");
        const title = select.labels[0] ?? select.closest("[id*=filter], .flex-col")?.querySelector("h2, h3, label");
        field.removeAttribute("aria-labelledby");
        field.ariaLabel = title?.textContent.trim() || select.name;
        for (const name of ["role", "aria-readonly"]) {
            field.querySelector("[role=textbox], [aria-readonly]")?.removeAttribute(name);
        }
    }
}

// What opens may take some frames to be shown, and takes no focus before.
function focusFirst(root, frames = 120) {
    if (frames && !root.contains(document.activeElement)) {
        [...root.querySelectorAll(FOCUSABLE)].find((element) => element.checkVisibility())?.focus();
        requestAnimationFrame(() => focusFirst(root, frames - 1));
    }
}

// Where the focus was goes on when `state` is over.
function whileOpen(state, opened, closed) {
    let before = null;
    Alpine.effect(() => {
        const open = Alpine.$data(document.documentElement)[state];
        if (open) {
            before = document.activeElement;
            setTimeout(opened);
        } else if (before) {
            closed();
            before.focus();
            before = null;
        }
    });
}

document.addEventListener("alpine:initialized", () => {
    equip(document);
    document.addEventListener("htmx:load", (event) => equip(event.target));

    const page = document.getElementById("page");
    const dialog = document.getElementById("modal-content");
    dialog.role = "dialog";
    dialog.ariaModal = "true";
    whileOpen(
        "openModal",
        () => {
            dialog.ariaLabel = dialog.querySelector("h1")?.textContent.trim() ?? "";
            page.inert = true;
            // What unfold calls Cancel cancels no job.
            dialog.querySelector("form a[x-on\\:click='openModal = false']")?.replaceChildren("Close");
            // The first field, past the cross that closes the dialog.
            focusFirst(dialog.querySelector("form") ?? dialog);
        },
        () => (page.inert = false),
    );

    const filter = document.getElementById("changelist-filter");
    if (filter) {
        const close = () => (Alpine.$data(document.documentElement).filterOpen = false);
        whileOpen("filterOpen", () => focusFirst(filter), () => {});
        filter.addEventListener("keydown", (event) => event.key === "Escape" && close());
        filter.addEventListener("focusout", (event) => {
            // What drops down from a field stands beside the page, and belongs to the panel.
            if (page.contains(event.relatedTarget) && !filter.contains(event.relatedTarget)) {
                close();
            }
        });
    }
    document.getElementById("content")?.setAttribute("role", "main");
});

// select2 makes its fields when the page is ready, some of them twice.
window.addEventListener("load", () => setTimeout(nameSearchFields));

document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (["Enter", " "].includes(event.key) && target.matches("[role=button]:not(a[href], button)")) {
        event.preventDefault();
        target.click();
        // A menu may stand before its button.
        const menu = target.ariaExpanded === "false" && target.parentElement.querySelector(":scope > nav");
        if (menu) {
            setTimeout(() => focusFirst(menu), 50);
        }
    }
    if (event.key === "Escape") {
        const toggle = target.closest("[x-data]")?.querySelector(":scope > [aria-expanded=true]");
        toggle?.click();
        toggle?.focus();
    }
});
