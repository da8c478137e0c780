"""An inner run (pytester) forgets the modules that it was the first to import; rich would then exist twice."""

import probes.report.page
import probes.report.terminal  # noqa: F401  # imported for the sake of it: see above
