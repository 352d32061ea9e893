#!/usr/bin/env python3
"""Joins as a user, solves the puzzle if one is required, and prints the token.

    solve-puzzle.py http://localhost:8081/api/v1 7
"""
import hashlib, itertools, json, sys, urllib.error, urllib.request


def join(base, user, headers={}):
    url = f"{base}/user/{user}/queue/token/issue"
    request = urllib.request.Request(url, method="POST", headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def solve(puzzle, bits, iterations, parts, **others):
    def is_solved(n):
        salt = n.to_bytes(8, "big")
        found = hashlib.pbkdf2_hmac("sha256", puzzle.encode(), salt, iterations, 32)
        return int.from_bytes(found, "big") >> (256 - bits) == 0
    solved = filter(is_solved, itertools.count())
    return puzzle + "." + ",".join(str(n) for n in itertools.islice(solved, parts))


if __name__ == "__main__":
    base, user = sys.argv[1:]
    status, body = join(base, user)
    for _ in range(3):
        if status == 428:
            status, body = join(base, user, {"joinPuzzle": solve(**body)})
    sys.exit(f"{status}: {body}") if status != 200 else print(body["waitingToken"])
