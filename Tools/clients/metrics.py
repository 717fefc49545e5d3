"""Prometheus' own parser on the daemon's figures: names, kinds and labels, and that counters count."""

import os

import requests
import requests_unixsocket
from prometheus_client.parser import text_string_to_metric_families

BASE = f"http+unix://{os.environ['SOCKET'].replace('/', '%2F')}"


def read(session: requests.Session) -> tuple[dict, dict]:
    """Kinds by name of the metric, and values by name and labels."""
    reply = session.get(f"{BASE}/metrics")
    assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    kinds, values = {}, {}
    for family in text_string_to_metric_families(reply.text):
        assert family.name not in kinds, f"{family.name} is there twice"
        assert family.documentation and family.type in ("counter", "gauge"), family
        kinds[family.name] = family.type
        for sample in family.samples:
            # Prometheus' naming rules, as promtool checks them.
            assert (family.type == "counter") == sample.name.endswith("_total"), sample.name
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in values, f"{key} is there twice"
            values[key] = sample.value
    return kinds, values


def main() -> None:
    session = requests_unixsocket.Session()
    _, before = read(session)
    assert session.post(f"{BASE}/v1/generate", json={"prompt": "a <my-cat>", "steps": 3}).status_code == 200
    assert session.get(f"{BASE}/nowhere\"\\%0A").status_code == 404
    kinds, after = read(session)
    assert kinds["inversion_jobs"] == "counter" and kinds["inversion_resident_bytes"] == "gauge"
    grown = {
        ("inversion_jobs_total", ("end", "done")): 1, ("inversion_pictures_total",): 1, ("inversion_steps_total",): 3,
        ("inversion_answers_total", ("status", "404")): 1,
    }
    for key, count in grown.items():
        assert after[key] - before.get(key, 0) == count, (key, before.get(key), after[key])
    assert after[("inversion_embeddings",)] == 1 and after[("inversion_resident_bytes",)] > 1 << 20
    assert after[("inversion_allocated_bytes",)] > 1 << 16
    print("prometheus: done")


if __name__ == "__main__":
    main()
