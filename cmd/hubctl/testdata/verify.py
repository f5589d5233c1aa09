"""Verifies one statement against a log of `kcat -C -J`, from the documentation alone."""
import base64, datetime, hashlib, json, re, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

keys, statement, log = sys.argv[1:]
s = json.load(open(statement))["data"]
raw = lambda name, of=s: base64.b64decode(of[name])
sha = lambda b: hashlib.sha256(b).hexdigest()
millis = lambda t: round(datetime.datetime.fromisoformat(t.replace("Z", "+00:00")).timestamp() * 1000)

lines = ["relais-statement-1", f"participant {s['participant']}", f"number {s['number']}",
         f"span {millis(s['span_start'])} {millis(s['span_end'])}",
         f"predecessor {s['predecessor']} {raw('predecessor_hash').hex()}" if s.get("predecessor") else "predecessor - -",
         f"complete {str(s['complete']).lower()}"]
for r in s["ranges"]:
    lines.append(f"range {r['book']} {r['topic']} {r['partition']} {r['first']} {r['next']} {r['highest']} {r['events']} "
                 f"{raw('digest', r).hex()} {sha(raw('entries', r))}")
for p in s["positions"]:
    lines.append(f"position {p['book']} {p['topic']} {','.join(map(str, p['next']))} {','.join(map(str, p['highest']))}")
lines.append(f"key {s['key_id']}")
public = next(k for k in json.load(open(keys))["keys"] if k["id"] == s["key_id"])
Ed25519PublicKey.from_public_bytes(base64.b64decode(public["public"])).verify(raw("signature"), ("\n".join(lines) + "\n").encode())

records = [json.loads(line.decode("latin-1")) for line in open(log, "rb")]  # bytes as they are
events = 0
for r in s["ranges"]:
    digests, highest, seen = b"", r["highest"], set()
    for rec in records:
        if (rec["topic"], rec["partition"]) != (r["topic"], r["partition"]) or not r["first"] <= rec["offset"] < r["next"]:
            continue
        h = rec["headers"]
        get = lambda name: next((h[i + 1] for i in range(0, len(h), 2) if h[i] == name), "")
        value = rec["payload"].encode("latin-1")
        if r["book"] == "to":
            number, value = int(get("ce_submittedoffset")), value[5:] if value[:1] == b"\0" else value
            if number <= highest or get("ce_replay"):
                continue
            highest = number
        else:
            number = rec["offset"]
        fields = [get("ce_" + n).encode("latin-1") for n in ("source", "id", "type", "subject", "time")] + [sha(value).encode()]
        if r["book"] == "from" and tuple(fields) in seen:
            continue
        seen.add(tuple(fields))
        fields = [r["book"].encode(), f"{r['partition']}-{number}".encode()] + fields
        digests += hashlib.sha256(b"".join(b"%d:%s," % (len(f), f) for f in fields)).digest()
        events += 1
    if hashlib.sha256(digests).digest() != raw("digest", r):
        sys.exit(f"DIFFERENT {r['book']} {r['partition']}")
print("OK", events)
