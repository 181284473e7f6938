"""Writes a fuzzer's first corpus: each stream of the request parser's tables as a file.

usage: request_corpus.py DIRECTORY
"""
import base64
import json
import pathlib
import sys

TABLES = pathlib.Path(__file__).resolve().parents[2] / "http/message/testdata"
# parser_fuzz takes the first byte for the seed of its splits.
SPLIT_SEED = b"s"


def streams():
    for case in json.loads((TABLES / "requests.json").read_text()):
        yield case["stream"].encode()
    for case in json.loads((TABLES / "gunicorn.json").read_text())["cases"]:
        yield base64.b64decode(case["bytes_b64"])


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    count = 0
    for count, stream in enumerate(streams(), 1):
        (directory / f"{count:04}").write_bytes(SPLIT_SEED + stream)
    if count == 0:
        sys.exit("request_corpus: the tables are empty")


if __name__ == "__main__":
    main()
