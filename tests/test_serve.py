"""`ecom serve` as a process on a free port: key, size, rate, hostile texts, and the page in a real browser."""
from __future__ import annotations

import base64
import contextlib
import functools
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

httpx = pytest.importorskip("httpx", reason="the extra serve is not installed: pip install -e '.[serve]'")
pytest.importorskip("fastapi", reason="the extra serve is not installed: pip install -e '.[serve]'")
pytest.importorskip("uvicorn", reason="the extra serve is not installed: pip install -e '.[serve]'")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
get = functools.partial(httpx.get, timeout=60)
post = functools.partial(httpx.post, timeout=60)
KEY = "test-key-0123456789"
TEXTS = ["<script>document.title='hacked'</script>猫砂结团很快，就是粉尘有点大", "=HYPERLINK(\"http://x\",\"猫砂\")", "\"><img src=x onerror=alert(1)>", "{{ 7*7 }} 猫砂", "猫\u0000砂\u202e", "找我 13800138000"]


class Server:
    """A running `ecom serve`: its address and what it wrote to standard error."""

    def __init__(self, folder: Path, *args: str, **env: str):
        command = [str(Path(sys.executable).with_name("ecom")), "serve", "--port", "0", *args]
        self.log = folder / "stderr.txt"
        with self.log.open("w") as f:
            self.process = subprocess.Popen(command, stdout=f, stderr=f, env=os.environ | {"ECOM_THREADS": "1", "ECOM_KEY": ""} | env)
        end = time.monotonic() + 180
        while not (found := re.search(r"http://\S+/", self.log.read_text(encoding="utf-8"))):
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text(encoding="utf-8")
            time.sleep(0.2)
        self.url = found[0]
        while True:
            try:
                assert httpx.get(f"{self.url}health").status_code == 200
                return
            except httpx.TransportError:
                assert self.process.poll() is None and time.monotonic() < end
                time.sleep(0.1)

    def stop(self) -> int:
        """Interrupt the server as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Options naming a small catalogue and a few ads."""
    folder = tmp_path_factory.mktemp("shop")
    products = [("P1", "豆腐猫砂 <i>6L</i>", "宠物用品", 29.9, "遇水结团，可冲厕所，粉尘较少"), ("P2", "降噪耳机", "手机数码", 399, "降噪深度 42 分贝"), ("P3", "猫抓板", "宠物用品", 19, "瓦楞纸")]
    ads = [("A1", "结团快的豆腐砂", "宠物用品"), ("A2", "顶级耳机，全网第一", "手机数码")]
    pd.DataFrame(products, columns=["item_id", "title", "category", "price", "description"]).to_csv(folder / "products.csv", index=False)
    pd.DataFrame(ads, columns=["ad_id", "text", "category"]).to_csv(folder / "ads.csv", index=False)
    (folder / "trends.csv").write_text("text\n换季，掉毛的时候\n", encoding="utf-8")
    return tuple(x for n in ("products", "ads", "trends") for x in (f"--{n}", str(folder / f"{n}.csv")))


@pytest.fixture(scope="module")
def local(shop: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory):
    """A server without a key, for this machine only."""
    server = Server(tmp_path_factory.mktemp("local"), *shop, "--rate", "6000")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def keyed(shop: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory):
    """A server with a key and a rate of 8 requests a minute."""
    server = Server(tmp_path_factory.mktemp("keyed"), *shop, "--rate", "8", ECOM_KEY=KEY)
    yield server
    server.stop()


def rows(*texts: str) -> dict:
    """The body of a request."""
    return {"rows": [{"user_id": "u", "text": t} for t in texts]}


def error(r) -> str:
    """The sentence of a refusal, which holds nothing else."""
    assert list(r.json()) == ["error"] and "Traceback" not in r.text and r.headers["x-content-type-options"] == "nosniff" and "'unsafe" not in r.headers["content-security-policy"]
    return r.json()["error"]


def test_answers(local: Server):
    found = post(f"{local.url}recommend", json=rows("给猫买猫砂") | {"k": 2}).json()["items"]
    assert [i["rank"] for i in found] == [1, 2] and found[0]["item_id"] == "P1" and found[0]["title"] == "豆腐猫砂 <i>6L</i>" and found[0]["price"] == 29.9
    assert [a["ad_id"] for a in post(f"{local.url}ads", json=rows("给猫买猫砂")).json()["ads"]] == ["A1"], "A2 breaks the law"
    r = post(f"{local.url}campaign", json=rows("降噪耳机") | {"today": "2026-11-24"}, timeout=60)
    assert r.status_code == 200, (r.text, local.log.read_text(encoding="utf-8"))
    assert r.json()["segments"][0]["product_ids"] == ["P2"] and r.json()["segments"][0]["ready"]
    assert get(f"{local.url}health").json() == {"status": "ok", "products": 3, "ads": 1, "llm": "none"}


def test_hostile_texts_are_data_and_are_not_logged(local: Server):
    r = post(f"{local.url}profile", json=rows(*TEXTS))
    assert r.status_code == 200 and r.headers["content-type"] == "application/json" and "13800138000" not in r.text
    lone = post(f"{local.url}profile", content=b'{"rows": [{"text": "\\ud800 \xe7\x8c\xab"}]}', headers={"Content-Type": "application/json"})
    assert lone.status_code in (400, 422) and error(lone)
    assert post(f"{local.url}profile", json=rows("猫" * 10_000)).status_code == 200
    assert post(f"{local.url}profile", json=rows("猫" * 10_001)).status_code == 422
    log = local.log.read_text(encoding="utf-8")
    assert "猫砂" not in log and "13800138000" not in log and "Traceback" not in log


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 200_000, b"", b'{"rows": "x"}', b"null", b'{"rows": [{"text": NaN}]}', b'{"rows":[{"text":"x"}],"k":' + b"9" * 6000 + b"}"])
def test_broken_bodies_are_one_sentence(local: Server, body: bytes):
    r = post(f"{local.url}recommend", content=body, headers={"Content-Type": "application/json"})
    assert r.status_code in (400, 422) and error(r)


@pytest.mark.parametrize(("path", "more", "words"), [
    ("recommend", '"k": 101', "k 应不大于 100"), ("recommend", '"k": 1e400', "k 应是"), ("recommend", '"k": 10000000000000000000000', "k 应"), ("recommend", '"k": "3"', None), ("recommend", '"k": -1', "k 应不小于 1"),
    ("recommend", '"k": NaN', "k 应是"), ("recommend", '"min_price": NaN', "min_price 应"), ("recommend", '"max_price": Infinity', "max_price 应"), ("recommend", '"min_price": -1', "min_price 应不小于 0"),
    ("recommend", '"category": 3', "category 应是字符串"), ("recommend", '"category": ["宠物用品"]', "category 应是字符串"), ("recommend", '"category": "没有这一类"', "没有类目 没有这一类"),
    ("recommend", '"category": "x\' OR 1=1 --"', "没有类目"), ("ads", '"k": 21', "k 应不大于 20"), ("ads", '"category": "宠物用品"', "category 是不认识的字段"), ("ads", '"rows": []', "rows 至少要有 1 项"),
    ("campaign", '"today": "2026-02-30"', "today 应是日期"), ("campaign", '"today": NaN', "today 应是日期"), ("campaign", '"brief": {}', "brief 应是字符串"), ("campaign", '"n_segments": 3', "n_segments 是不认识的字段"),
    ("profile", '"rows": {"0": {"text": "x"}}', "rows 应是列表"), ("profile", '"rows": [["x"]]', "rows[0] 应是对象"), ("profile", '"rows": ' + '[{"text": ' + "[" * 50 + "]" * 50 + "}]", "rows[0].text 应是字符串"),
    ("profile", '"rows": [' + ",".join(['{"text":"x"}'] * 1001) + "]", "rows 最多 1000 项")])
def test_wrong_values_are_one_chinese_sentence(local: Server, path: str, more: str, words: str | None):
    """Wrong types, numbers that are none, huge k, unknown categories and fields: 422 that names the field; `words` None: taken as it is meant."""
    body = '{"rows": [{"text": "给猫买猫砂"}], ' * ('"rows"' not in more) + "{" * ('"rows"' in more) + more + "}"
    r = post(local.url + path, content=body.encode(), headers={"Content-Type": "application/json"})
    if words is None:
        assert r.status_code == 200 and len(r.json()["items"]) == 3
        return
    assert r.status_code in (400, 422) and (words in error(r) or "合法的 JSON" in error(r)), r.text
    assert error(r).count("。") == 1 and get(f"{local.url}health").status_code == 200


def test_deep_json_is_refused(local: Server):
    for deep in (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b'{"rows":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"rows": [{"text": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}]}"):
        r = post(f"{local.url}profile", content=deep, headers={"Content-Type": "application/json"})
        assert r.status_code in (400, 422) and error(r)


def heard(s: socket.socket) -> str:
    """What comes over a bare connection until the server closes it."""
    said = b""
    while more := s.recv(65_536):
        said += more
    s.close()
    return said.decode()


def test_what_is_no_http_is_one_sentence(local: Server):
    port = httpx.URL(local.url).port
    for said in (b"\x16\x03\x01 tls\r\n\r\n", b"HELO shop\r\n\r\n", b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n"):
        s = socket.create_connection(("127.0.0.1", port), timeout=60)
        s.sendall(said)
        answer = heard(s)
        assert answer.startswith("HTTP/1.1 400") and "不是合法的 HTTP" in json.loads(answer.split("\r\n\r\n")[1])["error"]
    assert get(f"{local.url}health").status_code == 200


def test_heads_that_are_floods_or_smuggle_are_refused(local: Server):
    """Thousands of headers, two lengths, a length beside chunks, chunks that lie, a second request hidden in the first: 4xx, and the next good request is answered."""
    port = httpx.URL(local.url).port
    head, post_ = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n", f"POST /profile HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    hidden = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    attacks = {"flood": head + "".join(f"X-{i}: {'a' * 50}\r\n" for i in range(5_000)) + "\r\n", "one endless header": head + "X: " + "a" * 200_000 + "\r\n\r\n", "two lengths": post_ + "Content-Length: 5\r\nContent-Length: 60\r\n\r\n{\"a\":" + hidden,
               "length and chunks": post_ + f"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}", "unknown coding": post_ + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "negative length": post_ + "Content-Length: -1\r\n\r\n{}", "length of words": post_ + "Content-Length: 1e3\r\n\r\n{}",
               "chunk of 2^64": post_ + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\nabc\r\n", "no chunk": post_ + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "space before the colon": head + "Content-Length : 5\r\n\r\n", "folded": head + "X: a\r\n b\r\n: c\r\n\r\n", "NUL": head + "X: a\0b\r\n\r\n",
               "no host": "GET /health HTTP/1.1\r\n\r\n", "two hosts": head + "Host: evil.example\r\n\r\n", "HTTP/9": "GET /health HTTP/9.9\r\n\r\n", "pipelined garbage": "\0\1\2\3" * 50 + "\r\n\r\n" + hidden}
    for kind, said in attacks.items():
        s = socket.create_connection(("127.0.0.1", port), timeout=60)
        with contextlib.suppress(OSError):                # a server that hangs up in the middle of a flood is right
            s.sendall(said.encode("latin-1"))
            if hidden not in said:                        # a hidden request is read by who does not close the connection: the more so when more might come
                s.shutdown(socket.SHUT_WR)
        answer = ""
        with contextlib.suppress(OSError):
            answer = heard(s)
        assert "HTTP/1.1 200" not in answer and "HTTP/1.1 5" not in answer and "Traceback" not in answer, (kind, answer[:300])
        assert not answer or re.match(r"HTTP/1\.1 4\d\d", answer) and answer.count("HTTP/1.1") == 1, (kind, answer[:300])
        assert get(f"{local.url}health").status_code == 200, kind


@pytest.mark.parametrize(("kind", "body"), [("text/plain", b'{"rows": [{"text": "x"}]}'), ("application/x-www-form-urlencoded", b"rows=x"), ("multipart/form-data; boundary=x", b"--x--"), ("image/png", b"\x89PNG"), ("", b"{}"),
    ("application/json", b'{"rows": [{"text": "x"}], ' + b",".join(b'"k%d": 1' % i for i in range(60_000)) + b"}"), ("application/json", b'{"rows": [{"text": "x", "time": ' + b"9" * 4000 + b"}]}"), ("application/json", b'{"rows": [{"text": "x"}], "rows": []}'),
    ("application/json", b'{"rows": [{"__proto__": {}, "text": "x"}]}'), ("application/json", b'{"rows": [{"text": -Infinity}]}')])
def test_bodies_of_another_kind_are_refused(local: Server, kind: str, body: bytes):
    """Wrong content types and JSON bombs: one sentence (at most a few hundred characters of it), and the server goes on."""
    r = post(f"{local.url}profile", content=body, headers={"Content-Type": kind} if kind else {})
    assert r.status_code in (400, 413, 415, 422) and len(error(r)) < 500, (r.status_code, r.text[:300])
    assert get(f"{local.url}health").status_code == 200


def test_slow_clients_are_dropped_and_hold_up_nobody(local: Server):
    """Fifty requests whose heads or bodies never end (slowloris): others are answered meanwhile, each of them hears 408 in one sentence."""
    port = httpx.URL(local.url).port
    head = f"POST /profile HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n".encode()
    slow = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(50)]
    for n, s in enumerate(slow):
        s.sendall(head + (b"" if n % 2 else b'Content-Length: 1000\r\n\r\n{"rows"'))
    assert post(f"{local.url}ads", json=rows("给猫买猫砂"), timeout=60).status_code == 200
    for s in slow:
        answer = heard(s)
        assert answer.startswith("HTTP/1.1 408") and "没有送完" in answer and answer.count("error") == 1


def test_more_connections_than_allowed_hear_so(local: Server):
    port = httpx.URL(local.url).port
    idle = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(200)]
    time.sleep(0.5)
    r = get(f"{local.url}health")
    assert r.status_code == 503 and "连接太多" in error(r) and r.headers["retry-after"] == "2"
    for s in idle:
        s.close()
    end = time.monotonic() + 30
    while get(f"{local.url}health").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_burst_is_answered_or_refused_and_never_lost(local: Server):
    """Sixty requests at once: the queue takes 16, the others hear 503 at once; whoever leaves makes room."""
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda n: post(f"{local.url}profile", json=rows(f"猫砂结团快，第 {n} 次买"), timeout=120), range(60)))
    codes = {r.status_code for r in answers}
    assert codes <= {200, 503} and 200 in codes, codes
    assert all("排队的请求太多" in error(r) and r.headers["retry-after"] == "2" for r in answers if r.status_code == 503)
    assert post(f"{local.url}profile", json=rows("猫砂"), timeout=60).status_code == 200


def test_a_client_that_leaves_frees_its_place(local: Server):
    """A thousand long texts of a client that goes away do not keep the next one waiting until they are all read."""
    big = {"rows": [{"user_id": f"u{n}", "text": f"第 {n} 次买猫砂，" + "粉尘大，结团快，" * 30} for n in range(1000)]}
    with pytest.raises(httpx.ReadTimeout):
        post(f"{local.url}recommend", json=big, timeout=httpx.Timeout(60, read=2))
    r = post(f"{local.url}ads", json=rows("给猫买猫砂"), timeout=200)          # the thousand take longer
    assert r.status_code == 200 and r.json()["ads"][0]["ad_id"] == "A1"


def test_a_megabyte_is_refused(local: Server):
    r = post(f"{local.url}profile", json=rows("猫" * 400_000))
    assert r.status_code == 413 and "1,000,000 字节" in error(r)
    chunked = post(f"{local.url}profile", content=itertools.repeat(b"x" * 1000, 2000), headers={"Content-Type": "application/json"})
    assert chunked.status_code == 413 and get(f"{local.url}health").status_code == 200


def test_other_names_of_this_machine_are_refused(local: Server):
    for path in ("", "health", "docs"):
        assert httpx.get(local.url + path, headers={"Host": "evil.example"}).status_code == 400
    assert post(f"{local.url}profile", json=rows("x"), headers={"Host": "127.0.0.1.evil.example"}).status_code == 400


def test_key_and_rate(keyed: Server):
    assert httpx.get(keyed.url).status_code == httpx.get(f"{keyed.url}docs").status_code == 200
    assert "密钥" in error(r := post(f"{keyed.url}profile", json=rows("猫砂"))) and r.status_code == 401
    assert post(f"{keyed.url}profile", json=rows("猫砂"), headers={"X-API-Key": KEY[:-1]}).status_code == 401
    assert post(f"{keyed.url}profile", json=rows("猫砂"), headers={"X-API-Key": KEY, "Host": "shop.example"}).status_code == 200
    codes = [post(f"{keyed.url}profile", json=rows("猫砂"), headers={"X-Forwarded-For": f"10.0.0.{i}"}).status_code for i in range(8)]
    assert codes[:4] == [401] * 4 and codes[-1] == 429, "guessing counts, and another name in a header does not help"
    r = post(f"{keyed.url}profile", json=rows("猫砂"), headers={"X-API-Key": KEY})
    assert r.status_code == 429 and int(r.headers["retry-after"]) > 0 and "太频繁" in error(r)
    assert httpx.get(f"{keyed.url}health").status_code == 200


def test_start_that_cannot_be(ecom):
    r = ecom("serve", "--host", "0.0.0.0", ECOM_KEY="")
    assert r.code == 2 and "--key" in r.last and r.err.count("\n") == 1
    assert ecom("serve", "--key", "short").code == 2
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        r = ecom("serve", "--port", s.getsockname()[1], ECOM_KEY="")
    assert r.code == 2 and "--port" in r.last and r.err.count("\n") == 1
    assert ecom("serve", "--products", "no-such.csv", "--port", 0, ECOM_KEY="").code == 2


class Browser:
    """Headless Chromium driven over its debugging pipe: JSON messages, each ended by a zero byte."""

    def __init__(self, folder: Path):
        to_read, self.out = os.pipe()
        self.inp, to_write = os.pipe()
        flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --remote-debugging-pipe"
        line = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'
        self.process = subprocess.Popen(["bash", "-c", line, CHROMIUM, *flags.split(), f"--user-data-dir={folder}", "about:blank"], pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.n, self.left, self.events, self.session = 0, b"", [], {}
        target = self("Target.getTargets")["targetInfos"][0]["targetId"]
        self.session = {"sessionId": self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for name in ("Page", "Runtime", "Log", "Network"):
            self(f"{name}.enable")

    def __call__(self, method: str, **params) -> dict:
        """Send a command and wait for its result; events that come before it are kept."""
        self.n += 1
        os.write(self.out, json.dumps({"id": self.n, "method": method, "params": params} | self.session).encode() + b"\0")
        while True:
            while b"\0" not in self.left:
                assert select.select([self.inp], [], [], 60)[0], f"no answer to {method}"
                more = os.read(self.inp, 1 << 20)
                assert more, f"the browser is gone before it answered {method}"
                self.left += more
            one, self.left = self.left.split(b"\0", 1)
            message = json.loads(one)
            if message.get("id") == self.n:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def js(self, code: str):
        """The value of an expression in the page."""
        answer = self("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, code: str, seconds: float = 60) -> None:
        """Wait until an expression in the page is true."""
        end = time.monotonic() + seconds
        while not self.js(code):
            assert time.monotonic() < end, f"never true: {code}"
            time.sleep(0.1)

    def close(self) -> None:
        """End the browser."""
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.inp)


@pytest.mark.skipif(CHROMIUM is None or not shutil.which("bash"), reason="no chromium on PATH")
def test_the_page_in_a_browser(local: Server, tmp_path: Path):
    """Fill in, click, see results; nothing of the texts runs, nothing comes from outside, no scrolling sideways on a phone."""
    browser = Browser(tmp_path / "profile")
    try:
        for scheme in ("light", "dark"):
            browser("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
            browser("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            browser("Page.navigate", url=local.url)
            browser.wait("document.readyState === 'complete' && !!document.getElementById('go')")
            browser.js(f"document.getElementById('texts').value = {json.dumps(chr(10).join([*TEXTS, '搜索：无香 猫砂' + '长' * 300]))}; document.getElementById('go').click()")
            browser.wait("document.getElementById('status').textContent === '完成。'")
            heads = browser.js("[...document.querySelectorAll('#out h2')].map(h => h.textContent)")
            assert heads == ["画像", "推荐", "广告"]
            text = browser.js("document.getElementById('out').innerText")
            assert "豆腐猫砂 <i>6L</i>" in text and "结团快的豆腐砂" in text and "宠物用品" in text and "13800138000" not in text
            assert browser.js("document.querySelectorAll('#out script, #out img, #out i').length") == 0 and browser.js("document.title") == "画像、推荐与广告"
            assert browser.js("document.documentElement.scrollWidth") <= 390, scheme
            if folder := os.environ.get("ECOM_SCREENSHOTS"):
                picture = browser("Page.captureScreenshot", captureBeyondViewport=True)["data"]
                Path(folder, f"serve-{scheme}.png").write_bytes(base64.b64decode(picture))
        browser.js("document.getElementById('texts').value = '搜索：降噪耳机'; document.getElementById('write').click()")
        browser.wait("document.getElementById('status').textContent === '完成。' && !document.getElementById('go').disabled")
        assert browser.js("document.querySelectorAll('#out .box').length") >= 1
        browser.js("document.getElementById('texts').value = '猫'.repeat(10001); document.getElementById('go').click()")
        browser.wait("document.getElementById('status').className === 'bad'")
        assert "最多 10000 个字符" in browser.js("document.getElementById('status').textContent")
        browser("Page.navigate", url=f"{local.url}docs")
        browser.wait("document.querySelectorAll('h2').length === 5")
        assert browser.js("document.documentElement.scrollWidth") <= 390
        told = [e for e in browser.events if e["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled") or (e["method"] == "Log.entryAdded" and e["params"]["entry"]["level"] == "error")]
        assert [e["params"]["entry"].get("url", "") for e in told if e["method"] == "Log.entryAdded"] == [f"{local.url}profile"] and len(told) == 1, "only the refusal of the long text"
        asked = {e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"}
        assert asked and all(u.startswith((local.url, "data:")) for u in asked), asked
    finally:
        browser.close()


def test_an_error_of_our_own_tells_its_type_and_place_only(capsys):
    "The operator reads type, file and line, nothing of the request; the client one sentence."
    import asyncio

    from ecom_nbdev.serve import Guard
    sent: list[dict] = []

    async def broken(scope, receive, send):
        raise KeyError("13800138000")

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(broken)({"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}, receive, send))
    assert sent[0]["status"] == 500 and "服务内部出错" in sent[1]["body"].decode()
    assert re.fullmatch(r"服务内部出错：KeyError，test_serve\.py 第 \d+ 行\n", capsys.readouterr().err)
