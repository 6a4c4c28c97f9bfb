-- ---
-- id = "exception-expired"
-- title = "Exception that ran out while its finding stays"
-- severity = "medium"
-- confidence = "high"
-- grain = "run"
-- subject = "exception"
-- needs = []
-- message = "exception `{exception}` ended at {expires_at} and {findings} of its findings are still there"
-- description = """
-- An exception of the register whose time is over at `as_of` while at least one finding that it names is still
-- found. The findings themselves count again from the end of the exception."""
-- remedy = """
-- End the access that it covered, or have it approved anew with a new end. An old exception is never prolonged in
-- silence."""
-- false_positives = """
-- None: the register and the finding both say so."""
-- controls = [
--     "nist-800-53:CA-7", "iso-27001:5.36", "soc2:CC4.2", "pci-dss:7.2.4"]
-- ---
SELECT e.exception AS exception,
    CASE WHEN e.status = 'expired' AND e.findings > 0 THEN 'finding' ELSE 'ok' END AS outcome,
    'certain' AS certainty,
    e.check_id AS check_id, e.system AS excepted_system, e.subject AS excepted_subject, e.owner AS owner, e.approver AS approver,
    e.findings AS findings, e.expires_at AS expires_at, e.expires_at AS since
FROM exception_matches e
