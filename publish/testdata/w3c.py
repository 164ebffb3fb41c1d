"""What the W3C feed validator says of files, or of all feeds and OPML files in folders: w3c.py PATH...

Its checkout's folder src must be in PYTHONPATH. Exits 1 if there is any error or warning.
"""

import io
import os
import re
import sys

sys.dont_write_bytecode = True

import feedvalidator
from feedvalidator import compatibility
from feedvalidator.formatter.text_plain import Formatter

feedvalidator.MAXDATALENGTH = 1_000_000_000  # of a document; its web site's is lower

TYPES = {".rss": "application/rss+xml", ".atom": "application/atom+xml", ".opml": "text/x-opml"}


def documents(paths):
    for path in paths:
        if os.path.isdir(path):
            yield from documents(os.path.join(path, name) for name in sorted(os.listdir(path)))
        elif os.path.splitext(path)[1] in TYPES:
            yield path


def judge(path):
    with open(path, "rb") as f:
        body = f.read()
    served = re.search(rb'rel="self"[^>]* href="([^"]+)"', body)
    base = served[1].decode() if served else "http://example.com/"
    kind = TYPES[os.path.splitext(path)[1]] + "; charset=utf-8"
    said = feedvalidator.validateStream(io.BytesIO(body), firstOccurrenceOnly=0, contentType=kind, base=base)
    return list(Formatter(compatibility.AA(said["loggedEvents"])))


judged, bad = 0, 0
for path in documents(sys.argv[1:]):
    judged += 1
    if complaints := judge(path):
        bad += 1
        print(path, *complaints, sep="\n  ")
print(f"{judged} documents, {bad} of them with errors or warnings")
sys.exit(bad > 0 or judged == 0)
