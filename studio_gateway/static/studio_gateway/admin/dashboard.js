// Unfold draws the charts, and again when the theme changes. Their text takes the page's colour, to be readable in
// both; and what is not to be told from its neighbour by colour alone is hatched.
Chart.register({
    id: "readable",
    beforeUpdate(chart) {
        const { color } = getComputedStyle(chart.canvas);
        for (const scale of Object.values(chart.options.scales)) {
            scale.ticks.color = color;
        }
        for (const dataset of chart.data.datasets) {
            if (dataset.hatched && typeof dataset.backgroundColor === "string") {
                dataset.backgroundColor = hatched(chart.ctx, dataset.backgroundColor);
            }
        }
    },
});

function hatched(ctx, color) {
    const size = 8;
    const tile = document.createElement("canvas");
    tile.width = tile.height = size;
    const pen = tile.getContext("2d");
    pen.fillStyle = color;
    pen.fillRect(0, 0, size, size);
    pen.strokeStyle = "rgb(255 255 255 / 60%)";
    pen.lineWidth = 1.5;
    // Beyond the corners too, so that tiles join.
    for (const shift of [-size, 0, size]) {
        pen.moveTo(shift, size);
        pen.lineTo(shift + size, 0);
    }
    pen.stroke();
    return ctx.createPattern(tile, "repeat");
}
