"""Collects what the tests of one session said, and writes the report when it ends."""

from __future__ import annotations

import contextlib
import datetime
import os
import tempfile
from pathlib import Path
from typing import Any

from .. import __version__, host
from ..expectations import Expectations
from ..verdict import BROKEN, INCONCLUSIVE, VERDICTS, of_claim
from . import expected
from . import run as run_json
from .files import write_whole


class Recorder:
    """One per session.  `add` an entry per case; `finish` judges the claims and writes the files."""

    def __init__(
        self,
        options: dict[str, Any],
        label: str,
        folder: Path,
        run: Path,
        ktap: Path | None,
        expectations: Expectations | None = None,
    ) -> None:
        self.greeting: dict[str, Any] | None = None
        self.run: dict[str, Any] | None = None
        self.crashed = False
        """Whether a process of the session died, and took a case with it that nobody judged."""
        self.selected = False
        """Whether cases were left out by the user's choice."""
        self.complaint: str | None = None
        """Why the report could not be written where it was wanted."""
        self.unmet: list[str] = []
        """What was expected of this kernel and did not come, one sentence each."""
        self.written: dict[str, Path] = {}
        self._options = options
        self._label = label
        self._folder, self._run_path, self._ktap_path = folder, run, ktap
        self._expectations = expectations
        self._cut: set[str] = set()
        """Claims of which cases were left out."""
        self._claims: dict[str, dict[str, Any]] = {}
        self._controls: dict[str, tuple[str, str | None]] = {}
        self._started = datetime.datetime.now(datetime.timezone.utc)
        self._splats = host.SplatWatch()

    def add(self, entry: dict[str, Any]) -> None:
        """One case of one claim, and the controls of the process that judged it."""
        claim = self._claims.setdefault(entry["claim"]["id"], {**entry["claim"], "cases": []})
        claim["cases"].append(entry["case"])
        if entry["cut"]:
            self._cut.add(claim["id"])
        for name, (verdict, reason) in entry["controls"].items():
            known = self._controls.get(name)
            if known is None or VERDICTS.index(verdict) < VERDICTS.index(known[0]):
                self._controls[name] = (verdict, reason)

    def finish(self, *, partial: bool) -> None:
        """Judge every claim and write the report; without a single case there is nothing to write."""
        splats = self._splats.close()
        if not self._claims and not partial:
            return
        failed = [name for name, (verdict, _) in self._controls.items() if verdict in (BROKEN, INCONCLUSIVE)]
        claims = [self._judged(claim, failed) for claim in self._claims.values()]
        if self._expectations is not None:
            self._compare_with_expectations(claims, whole=not partial and not failed)
        greeting = self.greeting or {}
        kernel = host.kernel()
        self.run = {
            "schema": run_json.SCHEMA,
            "partial": partial or self.selected,
            "label": self._label or kernel["release"],
            "started": self._started.isoformat(timespec="seconds"),
            "suite": {"version": __version__, "revision": host.revision(), "options": self._options},
            "kernel": {**kernel, "sysctls": {**kernel["sysctls"], **greeting.get("sysctls", {})}, "splats": splats},
            "isolation": greeting.get("isolation", "unknown"),
            "fence": greeting.get("fence", "unknown"),
            "observers": {name: why or True for name, why in greeting.get("why_not", {}).items()},
            "controls": {name: verdict for name, (verdict, _) in self._controls.items()},
            "controls_reasons": {name: reason for name, (_, reason) in self._controls.items() if reason},
            "summary": run_json.summary(claims),
            "claims": claims,
        }
        if self._expectations is not None:
            self.run["expectations"] = self._expected_of_the_run()
            self.unmet = expected.unmet(self.run)
        try:
            self._write()
        except OSError as error:
            self._keep_elsewhere(error)

    def _keep_elsewhere(self, error: OSError) -> None:
        """Where the report cannot be written after all (a full disk, say), keep run.json in the temporary folder."""
        self.complaint = f"the report could not be written: {error.strerror or error}"
        self.written = {}
        kept = Path(tempfile.gettempdir()) / f"wakecheck-run-{os.getpid()}.json"
        with contextlib.suppress(OSError):
            run_json.write(self.run or {}, kept)
            self.written = {"run.json": kept}

    def _judged(self, claim: dict[str, Any], failed_controls: list[str]) -> dict[str, Any]:
        """The claim with its verdict; a failed control leaves no claim a verdict of its own."""
        cases = claim["cases"]
        verdict = of_claim(case["verdict"] for case in cases)
        reason = next((case["reason"] for case in cases if case["verdict"] == verdict and case["reason"]), None)
        if failed_controls:
            verdict, reason = INCONCLUSIVE, f"the instrument failed its control: {', '.join(failed_controls)}"
        return {**claim, "verdict": verdict, "reason": reason}

    def _compare_with_expectations(self, claims: list[dict[str, Any]], *, whole: bool) -> None:
        """Note in each claim what was expected of it.  Where the instrument failed, nothing can be unexpected."""
        assert self._expectations is not None
        for claim in claims:
            complete = whole and claim["id"] not in self._cut
            if told := self._expectations.of_claim(claim["id"], claim["cases"], whole=complete):
                claim["expected"] = told

    def _expected_of_the_run(self) -> dict[str, Any]:
        """The file, the kernel that it is about, and what it expects of the controls."""
        assert self._expectations is not None
        told = {name: self._expectations.of_control(name, verdict) for name, (verdict, _) in self._controls.items()}
        return {
            "file": self._expectations.file,
            "kernel": self._expectations.kernel,
            "controls": {name: entries for name, entries in told.items() if entries},
        }

    def _write(self) -> None:
        from . import ktap, page

        assert self.run is not None
        run_json.write(self.run, self._run_path)
        self.written["run.json"] = self._run_path
        index = self._folder / "index.html"
        write_whole(page.render(self.run), index)
        self.written["page"] = index
        if self._ktap_path is not None:
            write_whole(ktap.render(self.run), self._ktap_path)
            self.written["KTAP"] = self._ktap_path
