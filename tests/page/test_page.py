"""The page in a real browser: open, paint, matte, compare, download; what goes wrong is told."""

import functools
import http.server
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import scripts
from tests.scripts import REPOSITORY
from tests.sets import disc, picture
from utils.images.reading import read_alpha, read_cutout
from utils.images.trimap import make_trimap
from utils.images.writing import write_image

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
READY = (REPOSITORY / "page/vendor/ort.webgpu.bundle.min.mjs").exists() and all(
    (REPOSITORY / f"page/models/{name}.onnx").exists() for name in ("small", "large")
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium"),
    pytest.mark.skipif(not READY, reason="make page has not collected the runtime and networks"),
]
SIZE = (200, 300)
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-sync"]
NO_GPU = ["--disable-gpu"]
SOFTWARE_GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address():
    handler = functools.partial(Quiet, directory=str(REPOSITORY / "page"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(request):
    with sync_api.sync_playwright() as started:
        flags = [*FLAGS, *getattr(request, "param", NO_GPU)]
        opened = started.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def page(browser, address):
    """The page, and that it asks nobody but its own server."""
    shown = browser.new_page(viewport={"width": 1100, "height": 800})
    requests = []
    shown.on("request", lambda request: requests.append(request.url))
    shown.goto(address)
    yield shown
    others = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    shown.close()
    assert not others


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photograph")
    write_image(folder / "photo.png", picture(1, *SIZE))
    write_image(folder / "trimap.png", make_trimap(disc(*SIZE), 8))
    write_image(folder / "mask.png", np.where(disc(*SIZE) > 127, np.uint8(255), np.uint8(0)))
    return folder


def status(page, text: str) -> None:
    sync_api.expect(page.get_by_role("status")).to_contain_text(text, timeout=120_000)


def download(page, button: str, path: Path) -> Path:
    with page.expect_download() as started:
        page.get_by_role("button", name=button).click()
    started.value.save_as(path)
    return path


def test_the_downloaded_matte_is_that_of_matte_py(page, files, tmp_path):
    page.locator("#photo").set_input_files(files / "photo.png")
    status(page, "300 x 200 pixels")
    page.locator("#mask").set_input_files(files / "trimap.png")
    status(page, "Trimap opened")
    page.locator("#second").select_option("large")
    page.get_by_role("button", name="Matte (Enter)").click()
    status(page, "large (11.1 MB)")
    matte = read_alpha(download(page, "Download matte", tmp_path / "matte.png"))
    photo, trimap = files / "photo.png", files / "trimap.png"
    scripts.main("matte.py", photo, trimap, "--out", tmp_path / "mattes")
    expected = read_alpha(tmp_path / "mattes" / "photo_matte.png")
    assert (expected[read_alpha(trimap) == 128]).std() > 0
    np.testing.assert_allclose(matte.astype(int), expected.astype(int), atol=2)
    cutout = download(page, "Download cut-out", tmp_path / "cutout.png")
    np.testing.assert_array_equal(read_cutout(cutout)[1], matte)
    page.locator("#split").fill("0")  # all of the second network
    page.locator("#view").select_option("matte")


def test_a_mask_becomes_the_trimap_of_matte_py_and_the_keyboard_paints(page, files, tmp_path):
    page.locator("#photo").set_input_files(files / "photo.png")
    status(page, "300 x 200 pixels")
    page.keyboard.press("Enter")
    status(page, "Mark some foreground and some background first")
    page.locator("#canvas").focus()
    page.keyboard.press("f")
    page.keyboard.press(" ")
    page.keyboard.press("b")
    for _ in range(14):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press(" ")
    page.keyboard.press("Enter")
    status(page, "small (1.1 MB)")
    matte = read_alpha(download(page, "Download matte", tmp_path / "painted.png"))
    assert (matte[90:110, 140:160] == 255).all() and not matte[95:105, 30:46].any()
    page.locator("#mask").set_input_files(files / "mask.png")
    status(page, "Trimap made of the mask")
    page.get_by_role("button", name="Matte (Enter)").click()
    status(page, "small (1.1 MB)")
    matte = read_alpha(download(page, "Download matte", tmp_path / "matte.png"))
    photo, mask = files / "photo.png", files / "mask.png"
    scripts.main("matte.py", photo, "--mask", mask, "--out", tmp_path / "mattes")
    expected = read_alpha(tmp_path / "mattes" / "photo_matte.png")
    np.testing.assert_allclose(matte.astype(int), expected.astype(int), atol=2)


def test_what_goes_wrong_is_a_sentence(page, files, tmp_path):
    (tmp_path / "broken.png").write_bytes((files / "photo.png").read_bytes()[:60])
    page.locator("#photo").set_input_files(tmp_path / "broken.png")
    status(page, "broken.png is not a picture that this browser reads")
    page.locator("#photo").set_input_files(files / "photo.png")
    status(page, "300 x 200 pixels")
    write_image(tmp_path / "small.png", disc(20, 30))
    page.locator("#mask").set_input_files(tmp_path / "small.png")
    status(page, "The mask is 30 x 20, the photograph 300 x 200")
    page.locator("#mask").set_input_files(files / "trimap.png")
    status(page, "Trimap opened")
    page.context.route("**/vendor/*", lambda route: route.abort())
    page.get_by_role("button", name="Matte (Enter)").click()
    status(page, "The runtime could not be loaded; run make page again.")
    page.locator("#backend").select_option("webgpu")
    page.get_by_role("button", name="Matte (Enter)").click()
    status(page, "This browser offers no WebGPU; choose the processor.")
    write_image(tmp_path / "pixel.png", picture(1, 1, 1))
    page.locator("#photo").set_input_files(tmp_path / "pixel.png")
    status(page, "1 x 1 pixels")
    write_image(tmp_path / "white.png", np.full((1, 1), 255, np.uint8))
    page.locator("#mask").set_input_files(tmp_path / "white.png")
    status(page, "The mask marks all of the picture")


def test_twelve_megapixels_are_reduced(page, tmp_path):
    Image.fromarray(picture(2, 3000, 4000)).save(tmp_path / "large.jpg")
    page.locator("#photo").set_input_files(tmp_path / "large.jpg")
    status(page, "1600 x 1200 pixels, reduced from 4000 x 3000")


def test_too_little_memory_is_a_sentence(page, files):
    """Where the memory of WebAssembly cannot grow."""
    fails = "WebAssembly.Memory.prototype.grow = () => { throw new RangeError(); };"
    source = fails + (REPOSITORY / "page/worker.js").read_text()
    answer = {"body": source, "content_type": "text/javascript"}
    page.context.route("**/worker.js", lambda route: route.fulfill(**answer))
    page.reload()
    page.locator("#photo").set_input_files(files / "photo.png")
    status(page, "300 x 200 pixels")
    page.locator("#mask").set_input_files(files / "trimap.png")
    status(page, "Trimap opened")
    page.locator("#first").select_option("large")
    page.get_by_role("button", name="Matte (Enter)").click()
    status(page, "Not enough memory; choose a smaller size.")
    sync_api.expect(page.locator("#run")).to_be_enabled()


@pytest.mark.parametrize("browser", [SOFTWARE_GPU], indirect=True)
def test_webgpu_gives_the_matte_of_the_processor(page, tmp_path):
    write_image(tmp_path / "photo.png", picture(1, 48, 64))
    write_image(tmp_path / "trimap.png", make_trimap(disc(48, 64), 6))
    page.locator("#photo").set_input_files(tmp_path / "photo.png")
    status(page, "64 x 48 pixels")
    mattes = []
    for backend in ("wasm", "webgpu"):
        page.locator("#mask").set_input_files(tmp_path / "trimap.png")
        status(page, "Trimap opened")
        page.locator("#backend").select_option(backend)
        page.get_by_role("button", name="Matte (Enter)").click()
        status(page, "small (1.1 MB)")
        mattes.append(read_alpha(download(page, "Download matte", tmp_path / f"{backend}.png")))
    assert mattes[0].std() > 0
    np.testing.assert_allclose(*(matte.astype(int) for matte in mattes), atol=1)
