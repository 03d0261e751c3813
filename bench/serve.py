"""Load on a real `ecom serve`: latency of each route at a stated rate, errors, resident memory; then more than it can do, which it must refuse quickly.

The server is a process on a free loopback port with the demo data and the real encoder; the client keeps `--connections` connections and sends at
fixed times, so that a slow answer does not put off the next request; latency counts from the moment at which a request was due. Every text is new
(two halves of demo texts joined at random), so that nothing is answered from memory. With `--llm`: /recommend alone, then while a campaign is written.

Run: ECOM_THREADS=1 OMP_NUM_THREADS=1 python bench/serve.py [--rate 2] [--minutes 0.5] [--connections 8] [--find] [--encode] [--llm qwen2.5-0.5b]
"""
from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
from common import median, report, timed

MIX = {"profile": 0.3, "recommend": 0.4, "ads": 0.25, "campaign": 0.05}
RATES = (0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5, 6)


class Server:
    "A running `ecom serve` without a limit on the rate (Linux: figures come from /proc): `url`, `rss()` in MiB, `cpu()` in seconds, `stop()`."
    def __init__(self, llm: str):
        self.log = Path(tempfile.mkstemp(suffix=".txt")[1])
        command = [str(Path(sys.executable).with_name("ecom")), "serve", "--port", "0", "--rate", "1000000", "--llm", llm]
        with self.log.open("w") as f:
            self.process = subprocess.Popen(command, stdout=f, stderr=f)
        while not (found := re.search(r"http://\S+/", self.log.read_text(encoding="utf-8"))):
            if self.process.poll() is not None:
                raise SystemExit(self.log.read_text(encoding="utf-8"))
            time.sleep(0.2)
        self.url = found[0]

    def rss(self) -> float:
        "Resident memory, MiB."
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return round(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024, 1)

    def cpu(self) -> float:
        "Processor time so far, seconds."
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        "Interrupt it as Ctrl-C does."
        self.process.send_signal(2)
        self.process.wait(60)
        self.log.unlink()


class Requests:
    "Bodies of requests: one user with three new texts."
    def __init__(self, seed: int = 0):
        from ecom_nbdev.data import load
        self.rng, self.texts = random.Random(seed), [t for t in load("users")["text"].astype(str) if len(t) > 7]

    def text(self) -> str:
        "The first half of one demo text and the second half of another."
        a, b = self.rng.choice(self.texts), self.rng.choice(self.texts)
        return f"{a[:len(a) // 2 + 1]}，{b[len(b) // 2:]}"

    def body(self) -> dict:
        "One request."
        return {"rows": [{"user_id": "u", "text": self.text(), "source": self.rng.choice(["review", "social", "search"])} for _ in range(3)]}

    def route(self) -> str:
        "A route by the shares of `MIX`."
        return self.rng.choices(list(MIX), list(MIX.values()))[0]


async def drive(url: str, requests: Requests, rate: float, seconds: float, connections: int, route: str = "") -> list[tuple[str, int, float, float]]:
    "(route, status or 0, ms from the moment it was due, ms from sending) of `rate` requests a second; two of /health every second."
    done: list[tuple[str, int, float, float]] = []
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=120) as client, httpx.AsyncClient(base_url=url, timeout=120) as other:
        start = time.perf_counter()
        async def one(name: str, due: float, body: dict | None) -> None:
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            sent = time.perf_counter()
            try:
                r = await (client.post(name, json=body) if body else other.get(name))
                status = r.status_code
                if status != 200 and list(r.json()) != ["error"]:
                    status = -1                      # a refusal must be one sentence
            except (httpx.TransportError, ValueError):
                status = 0
            now = time.perf_counter()
            done.append((name, status, 1000 * (now - start - due), 1000 * (now - sent)))
        jobs = [one(route or requests.route(), i / rate, requests.body()) for i in range(int(rate * seconds))]
        jobs += [one("health", i / 2, None) for i in range(int(2 * seconds))]
        await asyncio.gather(*jobs)
    return done


def table(done: list[tuple[str, int, float, float]], **more) -> list[dict]:
    "One row a route: requests, answers that are not 200, p50 and p99 in ms from the moment a request was due."
    rows = []
    for name in dict.fromkeys([*MIX, "health"]):
        ms = [due for n, status, due, _ in done if n == name and status == 200]
        if ms:
            rows.append({"route": name, "n": sum(n == name for n, *_ in done), "errors": sum(n == name and s != 200 for n, s, *_ in done),
                         "p50_ms": round(float(np.percentile(ms, 50))), "p99_ms": round(float(np.percentile(ms, 99)))} | more)
    return rows


def steady(server: Server, requests: Requests, rate: float, minutes: float, connections: int) -> list[dict]:
    "Rows of the routes at `rate`, then the server: processor time a request (its inverse is the most that one free core can do), the machine's load, memory."
    memory, cpu = server.rss(), server.cpu()
    done = asyncio.run(drive(server.url, requests, rate, 60 * minutes, connections))
    asked = sum(name != "health" for name, *_ in done)
    return [*table(done, rate=rate), {"route": "server", "n": asked, "cpu_ms_a_request": round(1000 * (server.cpu() - cpu) / asked), "load_average": round(os.getloadavg()[1], 1), "rss_start_mib": memory, "rss_end_mib": server.rss()}]


def overload(url: str, requests: Requests, rate: float, connections: int) -> dict:
    "What happens to ten times the stated rate: answers by status, p99 in ms of the refusals and of /health."
    done = asyncio.run(drive(url, requests, 10 * rate, 10, 10 * connections))
    asked = [d for d in done if d[0] != "health"]
    refused = [ms for _, status, _, ms in asked if status in (429, 503)]
    return {"route": "ten times the rate", "n": len(asked), "ok": sum(s == 200 for _, s, *_ in asked), "refused": len(refused), "other": len(asked) - len(refused) - sum(s == 200 for _, s, *_ in asked),
            "refused_p99_ms": round(float(np.percentile(refused, 99))) if refused else None, "health_p99_ms": round(float(np.percentile([d[3] for d in done if d[0] == "health"], 99)))}


def find(url: str, requests: Requests, connections: int) -> list[dict]:
    "20 s at each of `RATES` until something is refused or the median is three times that at the lowest rate: requests queue."
    rows = []
    for rate in RATES:
        done = [d for d in asyncio.run(drive(url, requests, rate, 20, connections)) if d[0] != "health"]
        ms = [d[2] for d in done]
        rows.append({"rate": rate, "n": len(done), "errors": sum(s != 200 for _, s, *_ in done), "p50_ms": round(float(np.percentile(ms, 50))), "p99_ms": round(float(np.percentile(ms, 99)))})
        if rows[-1]["errors"] or rows[-1]["p50_ms"] > 3 * rows[0]["p50_ms"]:
            break
    return rows


def encoding(requests: Requests, runs: int = 8) -> list[dict]:
    "Milliseconds a new text by the number of texts encoded together: whether requests should be put together."
    from ecom_nbdev.models import Embedder
    encoder = Embedder(remember=0)
    return [{"texts": n, "ms_a_text": round(1000 * median(timed(lambda n=n: encoder.encode([requests.text() for _ in range(n)]), runs)) / n, 1)} for n in (1, 3, 6, 12, 24)]


def writing(url: str, requests: Requests, llm: str) -> list[dict]:
    "/recommend every two seconds alone, and while one /campaign is written by the model."
    alone = asyncio.run(drive(url, requests, 0.5, 20, 4, "recommend"))
    async def both():
        async with httpx.AsyncClient(base_url=url, timeout=600) as client:
            begin = time.perf_counter()
            campaign = asyncio.create_task(client.post("campaign", json=requests.body()))
            await asyncio.sleep(1)
            during = []
            while not campaign.done():
                during += await drive(url, requests, 0.5, 10, 4, "recommend")
            return during, campaign.result(), time.perf_counter() - begin
    during, answer, seconds = asyncio.run(both())
    copies = [c["checks"]["writer"] for s in answer.json()["segments"] for c in s["ready"] + s["withheld"]] if answer.status_code == 200 else []
    return [*table(alone, llm=llm, campaign="none"), *table(during, llm=llm, campaign="being written"),
            {"route": "campaign", "n": 1, "errors": int(answer.status_code != 200), "seconds": round(seconds, 1), "by_model": sum(w == llm for w in copies), "by_template": sum(w == "template" for w in copies), "llm": llm}]


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rate", type=float, default=2, help="requests a second")
    ap.add_argument("--minutes", type=float, default=0.5)
    ap.add_argument("--connections", type=int, default=8)
    ap.add_argument("--find", action="store_true", help="look for the rate that is sustained")
    ap.add_argument("--encode", action="store_true", help="only: does it pay to encode the texts of several requests together?")
    ap.add_argument("--llm", default="none")
    args = ap.parse_args()
    os.environ.setdefault("ECOM_THREADS", "1")
    requests = Requests()
    if args.encode:
        report("serve", encoding(requests))
        return
    server = Server(args.llm)
    try:
        warm = asyncio.run(drive(server.url, requests, 1, 5, args.connections, "recommend"))
        warm += asyncio.run(drive(server.url, requests, 1, 1, 1, "campaign")) if args.llm == "none" else []
        assert all(status == 200 for _, status, *_ in warm), warm
        if args.llm != "none":
            rows = writing(server.url, requests, args.llm)
        elif args.find:
            rows = find(server.url, requests, args.connections)
        else:
            rows = steady(server, requests, args.rate, args.minutes, args.connections)
            rows.append(overload(server.url, requests, args.rate, args.connections))
    finally:
        server.stop()
    report("serve", rows)


if __name__ == "__main__":
    main()
