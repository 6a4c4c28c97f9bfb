-- ---
-- id = "exception-unreviewed"
-- title = "Exception that nobody looked at again"
-- severity = "low"
-- confidence = "medium"
-- grain = "run"
-- subject = "exception"
-- needs = ["exceptions", "reviews"]
-- message = "exception `{exception}` applies and nobody has reviewed it since {last_looked_at}"
-- description = """
-- An exception that applies in this run and that no review has confirmed for longer than the limit, counted from its
-- last review, else from its start. Only the time that the list of reviews covers is counted: a review before that
-- would not be seen."""
-- remedy = """
-- Let its owner say whether the reason still holds. If it does, record the review; else end the exception and the
-- access that it covers."""
-- false_positives = """
-- Reviews that are recorded elsewhere, or without the id of the exception."""
-- controls = [
--     "nist-800-53:CA-7", "nist-800-53:AC-6(7)", "iso-27001:5.36", "iso-27001:5.18", "soc2:CC4.1", "pci-dss:7.2.4"]
-- [parameters.review_after]
-- type = "days"
-- default = "180d"
-- doc = "days after which an exception must have been looked at again"
-- ---
WITH span AS (
    SELECT 'applies' AS status, MAX(c.covers_from) AS covers_from, MIN(c.covers_to) AS covers_to
    FROM log_coverage c
    WHERE c.log = 'reviews' AND EXISTS (SELECT 1 FROM reviews r WHERE r.source_ix = c.system_ix AND r.exception_ref IS NOT NULL)
),
looked AS (
    SELECT r.exception_ref AS exception, MAX(r.decided_at) AS reviewed_at
    FROM reviews r
    WHERE r.exception_ref IS NOT NULL AND r.decision = 'keep' AND r.decided_at IS NOT NULL
    GROUP BY r.exception_ref
),
due AS (
    SELECT e.exception AS exception, e.check_id AS check_id, e.system AS system, e.subject AS subject, e.owner AS owner,
        e.approver AS approver, e.expires_at AS expires_at, l.reviewed_at AS reviewed_at,
        COALESCE(l.reviewed_at, e.valid_from) AS last_looked_at, s.covers_from AS covers_from, s.covers_to AS covers_to
    FROM exception_matches e
    LEFT JOIN looked l ON l.exception = e.exception
    LEFT JOIN span s ON s.status = e.status
    WHERE e.status = 'applies'
)
SELECT d.exception AS exception,
    CASE
        WHEN d.covers_to IS NULL THEN 'unknown'
        WHEN d.last_looked_at >= d.covers_from AND d.covers_to - d.last_looked_at > :review_after THEN 'finding'
        WHEN d.last_looked_at >= d.covers_from THEN 'ok'
        WHEN d.covers_to - d.covers_from > :review_after THEN 'finding'
        ELSE 'before_coverage'
    END AS outcome,
    'certain' AS certainty,
    d.check_id AS check_id, d.system AS excepted_system, d.subject AS excepted_subject, d.owner AS owner, d.approver AS approver,
    d.last_looked_at AS last_looked_at, d.reviewed_at AS reviewed_at, d.expires_at AS expires_at, d.covers_from AS covers_from,
    d.covers_to AS covers_to, d.last_looked_at AS since
FROM due d
