// Links marked with data-zoom open over the page, one after another: with the mouse, by keyboard, by touch. Without
// this script, or with a modifier key, they are what they are: links to the files.
document.addEventListener("DOMContentLoaded", () => {
    const links = [...document.querySelectorAll("a[data-zoom]")];
    if (!links.length) {
        return;
    }

    const make = (name, attributes = {}, ...children) => {
        const element = document.createElement(name);
        Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
        element.append(...children);
        return element;
    };
    const image = make("img", { class: "checkered" });
    const stage = make("div", { class: "stage" }, image);
    const caption = make("p", { "aria-live": "polite" });
    const file = make("a", { target: "_blank" }, "Open the file");
    const enlarge = make("button", { type: "button", "aria-pressed": "false" }, "Enlarge");
    const previous = make("button", { type: "button", "aria-label": "Previous image" }, "‹");
    const next = make("button", { type: "button", "aria-label": "Next image" }, "›");
    const close = make("button", { type: "button", "aria-label": "Close", autofocus: "" }, "✕");
    const bar = make("div", { class: "bar" }, caption, file, enlarge, previous, next, close);
    const dialog = make("dialog", { class: "zoom", "aria-label": "Image" }, bar, stage);
    document.body.append(dialog);
    previous.hidden = next.hidden = links.length < 2;

    let shown = 0;

    const size = (enlarged, at = { x: 0.5, y: 0.5 }) => {
        stage.classList.remove("enlarged");
        image.style.width = "";
        if (enlarged) {
            // A small image is made larger than itself, else there would be nothing to see.
            const width = Math.max(image.naturalWidth, 2 * image.clientWidth);
            stage.classList.add("enlarged");
            image.style.width = `${width}px`;
            stage.scrollTo(
                at.x * stage.scrollWidth - stage.clientWidth / 2,
                at.y * stage.scrollHeight - stage.clientHeight / 2,
            );
        }
        enlarge.setAttribute("aria-pressed", String(enlarged));
    };
    const isEnlarged = () => stage.classList.contains("enlarged");

    const show = (number) => {
        shown = (number + links.length) % links.length;
        const link = links[shown];
        size(false);
        file.href = image.src = link.href;
        image.alt = link.dataset.caption;
        caption.textContent = `${shown + 1} of ${links.length}: ${link.dataset.caption}`;
    };

    links.forEach((link, number) =>
        link.addEventListener("click", (event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) {
                return;
            }
            event.preventDefault();
            show(number);
            dialog.showModal();
        }),
    );

    image.addEventListener("error", () => {
        caption.textContent += " — it cannot be shown. Its link may have expired: load the page again.";
    });
    image.addEventListener("click", (event) => {
        const box = image.getBoundingClientRect();
        size(!isEnlarged(), {
            x: (event.clientX - box.left) / box.width,
            y: (event.clientY - box.top) / box.height,
        });
    });
    enlarge.addEventListener("click", () => size(!isEnlarged()));
    previous.addEventListener("click", () => show(shown - 1));
    next.addEventListener("click", () => show(shown + 1));
    close.addEventListener("click", () => dialog.close());
    stage.addEventListener("click", (event) => {
        if (event.target === stage) {
            dialog.close();
        }
    });
    dialog.addEventListener("keydown", (event) => {
        // In an enlarged image the arrows move about.
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (step && !isEnlarged()) {
            show(shown + step);
        }
    });

    // A swipe of one finger, more to the side than up or down.
    let from = null;
    stage.addEventListener("touchstart", (event) => {
        from = event.touches.length === 1 && !isEnlarged() ? event.touches[0] : null;
    }, { passive: true });
    stage.addEventListener("touchend", (event) => {
        const to = event.changedTouches[0];
        if (from && Math.abs(to.clientX - from.clientX) > Math.max(50, Math.abs(to.clientY - from.clientY))) {
            show(shown + (to.clientX < from.clientX ? 1 : -1));
        }
        from = null;
    });
});
