"""Points Autobahn's fuzzing client at the conformance server and judges its report.

    run.py WSTEST CONFORMANCE FOLDER [all]

Without `all` the sections for limits (9) and compression (12, 13), which take some minutes, are sampled.
Prints each case that is not as it should be, then `<passed> passed, <failed> failed`.
"""

import json
import os
import subprocess
import sys

CORE = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
SAMPLE = ["9.1.1", "9.2.1", "9.3.5", "9.4.5", "9.5.3", "9.6.3"]
SAMPLE += [f"12.{kind}.{case}" for kind in range(1, 6) for case in (1, 5)]
SAMPLE += [f"13.{kind}.{case}" for kind in range(1, 8) for case in (1, 5)]
# Closing with a code that is reserved, or as the connection breaks, is left to the server.
FINE = ("OK", "INFORMATIONAL")


def main(wstest, conformance, folder, wanted="sample"):
    environment = {**os.environ, "PROFILE": "autobahn", "PORT": "0"}
    server = subprocess.Popen([conformance], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split()[-1]
        spec = {
            "outdir": folder,
            "servers": [{"agent": "ours", "url": f"ws://{address}"}],
            "cases": ["*"] if wanted == "all" else CORE + SAMPLE,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        path = os.path.join(folder, "spec.json")
        with open(path, "w") as file:
            json.dump(spec, file)
        subprocess.run([wstest, "-m", "fuzzingclient", "-s", path], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "index.json")) as file:
            report = json.load(file)["ours"]
    finally:
        server.terminate()
        server.wait()
    failed = 0
    for case, result in report.items():
        if result["behavior"] not in FINE or result["behaviorClose"] not in FINE:
            print(f"{case}: {result['behavior']}, close {result['behaviorClose']}")
            failed += 1
    print(f"{len(report) - failed} passed, {failed} failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
