"""What staff do about one job, from the request id that a client quotes to the ledger entry."""

import io

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, expect

from tests.browser.stories import BACKGROUND, button, finished
from tests.conftest import Shop
from tests.gateway import Gateway, eventually
from tests.helpers import books_are_right
from workflows.models import Job, Output

# As an item lies on the upright photo: left, top, right and bottom, in pixels.
ITEMS = {"red": ((100, 150, 400, 600), (180, 30, 40)), "blue": ((520, 700, 820, 1050), (30, 60, 150))}
SIZE = (900, 1200)


def sideways_photo() -> bytes:
    """A photo of two items as phones store it: lying on its side, with a note of how to turn it."""
    photo = Image.new("RGB", SIZE, (240, 240, 236))
    for box, color in ITEMS.values():
        ImageDraw.Draw(photo).rectangle(box, fill=color)
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    photo.rotate(90, expand=True).save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


def extract(gateway: Gateway, shop: Shop, key: str) -> dict:
    accepted = gateway.call("POST", "/v1/extract", {"trial_image": key}, key=shop.key)
    assert accepted.status == 202
    return gateway.finished(accepted.json["job_id"], key=shop.key)


def find_job(gateway: Gateway, page: Page, request_id: str) -> None:
    page.goto(f"{gateway.url}/admin/workflows/job/")
    page.locator("#searchbar").fill(request_id)
    page.locator("#searchbar").press("Enter")
    page.locator("#result_list th a").click()


def open_job(gateway: Gateway, page: Page, job_id: str) -> None:
    page.goto(f"{gateway.url}/admin/workflows/job/{job_id}/change/")


def refund(page: Page, *, reason: str, ticket: str = "") -> None:
    dialog = page.locator("#dialog")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_label("Ticket number").fill(ticket)
    dialog.get_by_role("button", name="Refund").click()


def is_loaded(image: Locator) -> None:
    image.scroll_into_view_if_needed()
    image.evaluate("image => image.decode()")


def test_a_job_is_found_by_its_request_looked_at_and_refunded_with_a_ticket(gateway: Gateway, staff: Page, shop: Shop):
    job = finished(gateway, shop, BACKGROUND)
    find_job(gateway, staff, job["request_id"])
    expect(staff.get_by_text("SUCCESS", exact=True)).to_be_visible()
    is_loaded(staff.locator("img.thumbnail"))
    assert staff.locator("img.thumbnail").evaluate("image => image.naturalWidth") == 320

    button(staff, "refund").click()
    dialog = staff.locator("#dialog")
    expect(dialog).to_contain_text("1 credits go back to Shop: its balance of 99 becomes 100.")
    dialog.get_by_role("button", name="Refund").click()
    expect(dialog).to_contain_text("This field is required.")
    refund(staff, reason="wrong colours", ticket="4711")
    expect(staff.get_by_text("Refunded 1 credits; the balance is 100.")).to_be_visible()
    assert shop.balance == 100
    expect(button(staff, "refund")).to_have_count(0)
    expect(staff.get_by_text("Refund: it was refunded already.")).to_be_visible()

    staff.get_by_role("link", name="REFUND +1").click()
    for text in ("wrong colours (ticket 4711)", "grace", "+1"):
        expect(staff.locator("#content-main")).to_contain_text(text)
    staff.get_by_role("link", name=job["job_id"]).click()
    expect(staff).to_have_url(f"{gateway.url}/admin/workflows/job/{job['job_id']}/change/")


def test_a_refund_from_a_second_tab_moves_nothing(gateway: Gateway, staff: Page, shop: Shop):
    job = finished(gateway, shop, BACKGROUND)
    other = staff.context.new_page()
    for tab in (staff, other):
        open_job(gateway, tab, job["job_id"])
        button(tab, "refund").click()
        expect(tab.locator("#dialog")).to_contain_text("1 credits go back to Shop")
    refund(staff, reason="wrong colours")
    expect(staff.get_by_text("Refunded 1 credits; the balance is 100.")).to_be_visible()
    refund(other, reason="wrong colours, says my colleague")
    expect(other.get_by_text(f"Job {job['job_id']} cannot be refunded: it was refunded already.")).to_be_visible()
    assert shop.balance == 100
    books_are_right(shop.client)


def test_a_failed_job_says_why_and_that_it_was_refunded(gateway: Gateway, staff: Page, shop: Shop):
    job = finished(gateway, shop, {**BACKGROUND, "resolution": "<script>document.title='owned'</script>"})
    find_job(gateway, staff, job["request_id"])
    expect(staff.get_by_text("unknown_resolution", exact=True)).to_be_visible()
    expect(staff.get_by_text("<script>document.title='owned'</script>").first).to_be_visible()
    expect(button(staff, "refund")).to_have_count(0)
    expect(staff.locator("#content-main").get_by_role("link", name="REFUND")).to_be_visible()
    assert "owned" not in staff.title()


def test_what_failed_for_want_of_a_photo_is_run_again_once_it_is_there(gateway: Gateway, staff: Page, shop: Shop):
    key = f"clients/{shop.client.pk}/uploads/late.jpg"
    failed = extract(gateway, shop, key)
    find_job(gateway, staff, failed["request_id"])
    expect(staff.get_by_text("trial_image_not_found", exact=True)).to_be_visible()
    expect(staff.get_by_text("It cannot be shown: There is no image")).to_be_visible()

    default_storage.save(key, ContentFile(sideways_photo()))
    button(staff, "run_again").click()
    expect(staff.locator("#dialog")).to_contain_text("at no charge to Shop")
    staff.locator("#dialog").get_by_role("button", name="Run again").click()
    expect(staff.get_by_text("This is the new job, at no charge.")).to_be_visible()
    job = Job.objects.get(rerun_of=failed["job_id"])
    expect(staff).to_have_url(f"{gateway.url}/admin/workflows/job/{job.pk}/change/")
    gateway.finished(job.pk, key=shop.key)
    staff.reload()
    expect(staff.get_by_text("SUCCESS", exact=True)).to_be_visible()
    expect(staff.get_by_role("link", name="CHARGE +0")).to_be_visible()
    images = staff.locator("img.thumbnail")
    expect(images).to_have_count(2)
    is_loaded(images.first)
    assert shop.balance == 100
    books_are_right(shop.client)

    staff.get_by_role("link", name=failed["job_id"]).click()
    expect(staff.get_by_text("Was run again as")).to_be_visible()
    staff.get_by_role("link", name=job.pk).click()
    expect(staff.get_by_text("Run again of", exact=True)).to_be_visible()


def test_the_boxes_lie_on_the_photo_where_the_engine_found_the_items(gateway: Gateway, staff: Page, shop: Shop):
    key = default_storage.save(f"clients/{shop.client.pk}/uploads/sideways.jpg", ContentFile(sideways_photo()))
    job = extract(gateway, shop, key)
    open_job(gateway, staff, job["job_id"])
    photo = staff.get_by_role("img", name="The photo that was sent")
    is_loaded(photo)
    assert photo.evaluate("image => [image.naturalWidth, image.naturalHeight]") == list(SIZE)
    for width in (1440, 390):
        staff.set_viewport_size({"width": width, "height": 900})
        frame = photo.bounding_box()
        assert frame is not None
        assert frame["width"] / frame["height"] == pytest.approx(SIZE[0] / SIZE[1], rel=0.01)
        scale = frame["width"] / SIZE[0]
        outputs = Output.objects.filter(job=job["job_id"]).order_by("position")
        assert len(outputs) == len(ITEMS)
        for number, (output, (drawn, _)) in enumerate(zip(outputs, ITEMS.values(), strict=True), start=1):
            left, top, wide, high = output.details["box"]
            assert (left, top, left + wide, top + high) == pytest.approx(drawn, abs=8)
            box = staff.locator(f"a.box[href='#output-{number}']").bounding_box()
            assert box is not None
            assert (box["x"] - frame["x"], box["y"] - frame["y"]) == pytest.approx((left * scale, top * scale), abs=1)
            assert (box["width"], box["height"]) == pytest.approx((wide * scale, high * scale), abs=1)
    staff.get_by_role("link", name="2: to").click()
    expect(staff.locator("#output-2")).to_be_in_viewport()


def swipe(page: Page, *, by: int) -> None:
    touch = page.context.new_cdp_session(page)
    finger = {"x": 700, "y": 500}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [finger]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{**finger, "x": finger["x"] + by}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_images_are_looked_at_large_with_mouse_keyboard_and_touch(gateway: Gateway, staff: Page, shop: Shop):
    key = default_storage.save(f"clients/{shop.client.pk}/uploads/zoom.jpg", ContentFile(sideways_photo()))
    job = extract(gateway, shop, key)
    open_job(gateway, staff, job["job_id"])
    staff.get_by_role("link", name="Look at item-1.png").click()
    dialog = staff.get_by_role("dialog", name="Image")
    image, stage = dialog.get_by_role("img"), dialog.locator(".stage")
    expect(dialog).to_contain_text("2 of 3: item-1.png")
    is_loaded(image)
    assert image.evaluate("image => image.naturalWidth") == job["outputs"][0]["width"]

    fitting = image.bounding_box()
    assert fitting is not None
    image.click()
    expect(dialog.get_by_role("button", name="Enlarge")).to_have_attribute("aria-pressed", "true")
    enlarged = image.bounding_box()
    assert enlarged is not None
    assert enlarged["width"] >= 2 * fitting["width"] - 1
    assert stage.evaluate("stage => stage.scrollHeight >= stage.querySelector('img').offsetHeight")
    dialog.get_by_role("button", name="Enlarge").click()
    assert image.bounding_box() == fitting

    staff.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text("3 of 3: item-2.png")
    dialog.get_by_role("button", name="Next image").click()
    expect(dialog).to_contain_text("1 of 3: The photo that was sent")
    is_loaded(image)
    whole, room = image.bounding_box(), stage.bounding_box()
    assert whole is not None
    assert room is not None
    assert whole["height"] <= room["height"] + 1
    swipe(staff, by=200)
    expect(dialog).to_contain_text("3 of 3: item-2.png")
    swipe(staff, by=-200)
    expect(dialog).to_contain_text("1 of 3")

    staff.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(staff.get_by_role("link", name="Look at item-1.png")).to_be_focused()
    staff.keyboard.press("Enter")
    expect(dialog).to_contain_text("2 of 3: item-1.png")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_a_waiting_job_is_cancelled(gateway: Gateway, staff: Page, shop: Shop):
    gateway.stop("worker")
    try:
        accepted = gateway.call("POST", "/v1/background-generator", BACKGROUND, key=shop.key).json
        find_job(gateway, staff, accepted["request_id"])
        expect(staff.get_by_text("Run again: it is still open.")).to_be_visible()
        button(staff, "cancel").click()
        expect(staff.locator("#dialog")).to_contain_text("it ends at once, in FAILURE. Its 1 credits go back to Shop.")
        staff.locator("#dialog").get_by_role("button", name="Cancel the job").click()
        expect(staff.get_by_text("The job is cancelled.", exact=True)).to_be_visible()
    finally:
        gateway.start("worker")
    expect(staff.get_by_text("FAILURE", exact=True)).to_be_visible()
    expect(staff.get_by_role("link", name="REFUND +1")).to_be_visible()
    expect(button(staff, "cancel")).to_have_count(0)
    assert shop.balance == 100
    books_are_right(shop.client)


def test_the_page_fits_a_phone(gateway: Gateway, staff: Page, shop: Shop):
    key = default_storage.save(f"clients/{shop.client.pk}/uploads/phone.jpg", ContentFile(sideways_photo()))
    job = extract(gateway, shop, key)
    staff.set_viewport_size({"width": 390, "height": 844})
    open_job(gateway, staff, job["job_id"])
    eventually(lambda: staff.evaluate("document.readyState") == "complete")
    assert staff.evaluate("document.documentElement.scrollWidth") == 390
    expect(staff.locator("#submit-row")).to_have_count(0)
    # Folded, and unfolded by keyboard.
    deliveries = staff.get_by_text("Nobody was to be told of this job.")
    expect(deliveries).to_be_hidden()
    staff.locator("summary", has_text="Webhook deliveries").press("Enter")
    expect(deliveries).to_be_visible()


def test_jobs_are_narrowed_to_one_client(gateway: Gateway, staff: Page, shop: Shop):
    finished(gateway, shop, BACKGROUND)
    other = Shop.make(name="Only this one")
    job = finished(gateway, other, BACKGROUND)
    staff.goto(f"{gateway.url}/admin/workflows/job/")
    staff.locator("a", has_text="Filters").click()
    staff.locator("#changelist-filter .select2-selection").click()
    staff.locator(".select2-search__field").fill("only this")
    staff.locator(".select2-results__option", has_text="Only this one").click()
    staff.get_by_role("button", name="Apply").click()
    expect(staff.locator("#result_list tbody tr")).to_have_count(1)
    expect(staff.locator("#result_list")).to_contain_text(job["job_id"])
