"""Reads feeds as feedparser does: names of files and addresses from stdin, a line of JSON for each to stdout."""
import json
import sys

import feedparser


def date(entry, name):
    parsed = dict.get(entry, name + "_parsed")  # dict's, since feedparser's own get falls back to other dates
    return list(parsed[:6]) if parsed else None


for line in sys.stdin:
    path, address = line.rstrip("\n").split("\t")
    with open(path, "rb") as file:
        feed = feedparser.parse(file.read(), response_headers={"content-location": address})
    entries = []
    for e in feed.entries:
        entries.append({
            "title": e.get("title", ""),
            "link": e.get("link", ""),
            "original": e.get("feedburner_origlink", ""),
            "id": e.get("id", ""),
            "published": date(e, "published"),
            "updated": date(e, "updated"),
            "authors": [a.get("name") or a.get("email") or "" for a in e.get("authors", [])],
            "categories": [t.get("term") or t.get("label") or "" for t in e.get("tags", [])],
            "media": [m.get("url", "") for m in e.get("media_content", []) + e.get("media_thumbnail", [])],
            "enclosures": [x.get("href", "") for x in e.get("enclosures", [])],
        })
    json.dump({"entries": entries, "bozo": bool(feed.bozo)}, sys.stdout)
    sys.stdout.write("\n")
