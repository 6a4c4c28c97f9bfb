-- ---
-- id = "leaver-known-secret-unrotated"
-- title = "Secret that a leaver could read and that was not changed since"
-- severity = "high"
-- confidence = "medium"
-- grain = "run"
-- subject = "credential"
-- needs = ["credentials", "identities", "leaver_reach"]
-- message = "`{secret}` could be read by `{leaver}`, who had left by {left_by}, and was last changed {changed}"
-- description = """
-- A secret that is still live, that somebody who has left could read at the last stored snapshot of before they left,
-- and whose value was not changed since. Who could read it is told by the paths of Vault's policies, by the statements
-- of AWS policies, or by grants on the secret itself. It is certain if the secret was last changed before the end and
-- everybody to whom the account may belong has left; possible if only some have, if the right held under a condition, if
-- only the interval of the end is known and the change lies in it, or if no snapshot of before the end is stored. A
-- secret whose last change is not known, or that turns on a template which the export does not resolve, is unknown.
-- Shared accounts and root tokens read more than one person's secrets: they are counted and not listed secret by secret."""
-- remedy = """
-- Change the secret's value and give the new one to those who need it; taking the leaver's access away does not make
-- them forget it."""
-- false_positives = """
-- Secrets that are of no use outside the network, and secrets whose owner knows that they were never read: except them
-- with an end."""
-- controls = [
--     "nist-800-53:PS-4", "nist-800-53:IA-5", "nist-csf:PR.AA-01", "iso-27001:5.17", "iso-27001:6.5", "soc2:CC6.1",
--     "pci-dss:8.6.3", "ccm:IAM-07", "owasp-nhi:NHI1:2025", "owasp-nhi:NHI7:2025"]
-- [parameters.grace]
-- type = "hours"
-- default = "24h"
-- doc = "hours after the end in which the secret may still be changed"
-- ---
WITH reached AS (
    SELECT c.system_ix AS system_ix, c.credential_ix AS credential_ix, r.system_ix AS account_system_ix, r.account AS account,
        r.identity_ix AS identity_ix,
        CASE
            WHEN r.secret IS NULL OR COALESCE(c.rotated_at, c.created_at) >= r.left_by THEN 'ok'
            WHEN COALESCE(c.rotated_at, c.created_at) IS NULL OR r.readable <> 'yes' THEN 'unknown'
            WHEN c.observed_at - r.left_by > :grace THEN 'finding'
            ELSE 'too_new'
        END AS answer,
        (NOT r.conditional AND NOT r.late
            AND (r.left_exact OR COALESCE(c.rotated_at, c.created_at) <= r.left_after)) AS sure,
        c.credential AS secret, COALESCE(c.rotated_at, c.created_at) AS changed, c.status AS status, c.last_used_at AS last_used_at,
        r.candidates AS candidates, r.left_after AS left_after, r.left_by AS left_by, r.via AS via, r.path AS path,
        r.capability AS capability, r.snapshot AS snapshot, r.read_at AS read_at, r.late AS late, r.conditional AS conditional,
        r.why AS why
    FROM credentials c
    LEFT JOIN leaver_reach r ON r.secret_system_ix = c.system_ix AND r.secret = c.credential
    WHERE c.kind = 'vault_secret' AND c.status <> 'deleted' AND c.status <> 'inactive' AND c.status <> 'expired'
        AND (c.expires_at IS NULL OR c.expires_at > c.observed_at)
),
by_person AS (
    SELECT r.system_ix AS system_ix, r.credential_ix AS credential_ix, r.account_system_ix AS account_system_ix, r.account AS account,
        r.identity_ix AS identity_ix,
        CASE
            WHEN COUNT(*) FILTER (WHERE r.answer = 'finding') > 0 THEN 'finding'
            WHEN COUNT(*) FILTER (WHERE r.answer = 'unknown') > 0 THEN 'unknown'
            WHEN COUNT(*) FILTER (WHERE r.answer = 'too_new') > 0 THEN 'too_new'
            ELSE 'ok'
        END AS answer,
        CASE WHEN COUNT(*) FILTER (WHERE r.answer = 'finding') > 0 THEN 0 ELSE 1 END AS turn,
        COUNT(*) FILTER (WHERE r.answer = 'finding' AND r.sure) AS sure, MAX(CAST(r.candidates AS BIGINT)) AS candidates,
        MIN(r.secret) AS secret, MIN(r.changed) AS changed, MIN(r.status) AS status, MAX(r.last_used_at) AS last_used_at,
        MIN(r.left_after) AS left_after, MIN(r.left_by) AS left_by, MIN(r.via) AS via, MIN(r.path) AS path,
        MIN(r.capability) AS capability, MIN(r.snapshot) AS snapshot, MIN(r.read_at) AS read_at, MIN(r.why) AS why,
        COUNT(*) FILTER (WHERE r.late) AS late, COUNT(*) FILTER (WHERE r.conditional) AS conditional
    FROM reached r
    GROUP BY r.system_ix, r.credential_ix, r.account_system_ix, r.account, r.identity_ix
),
ordered AS (
    SELECT p.system_ix AS system_ix, p.credential_ix AS credential_ix, p.account_system_ix AS account_system_ix, p.account AS account,
        p.identity_ix AS identity_ix, p.answer AS answer, p.sure AS sure, p.candidates AS candidates, p.secret AS secret,
        p.changed AS changed, p.status AS status, p.last_used_at AS last_used_at, p.left_after AS left_after, p.left_by AS left_by,
        p.via AS via, p.path AS path, p.capability AS capability, p.snapshot AS snapshot, p.read_at AS read_at, p.late AS late,
        p.conditional AS conditional,
        ROW_NUMBER() OVER (
            PARTITION BY p.system_ix, p.credential_ix
            ORDER BY p.turn NULLS LAST, p.left_by NULLS LAST, p.account_system_ix NULLS LAST, p.account NULLS LAST,
                p.identity_ix NULLS LAST) AS n
    FROM by_person p
),
by_account AS (
    SELECT o.system_ix AS system_ix, o.credential_ix AS credential_ix, o.account_system_ix AS account_system_ix, o.account AS account,
        COUNT(*) FILTER (WHERE o.answer = 'finding') AS findings, COUNT(*) FILTER (WHERE o.answer = 'unknown') AS unknowns,
        COUNT(*) FILTER (WHERE o.answer = 'too_new') AS too_new,
        CASE WHEN COUNT(*) FILTER (WHERE o.sure > 0) = MAX(o.candidates) THEN 1 ELSE 0 END AS certain,
        MIN(o.secret) AS secret, MIN(o.changed) AS changed, MIN(o.status) AS status, MAX(o.last_used_at) AS last_used_at,
        MIN(i.display_name) FILTER (WHERE o.n = 1) AS leaver, MIN(o.account) FILTER (WHERE o.n = 1) AS reader,
        MIN(o.left_after) FILTER (WHERE o.n = 1) AS left_after, MIN(o.left_by) FILTER (WHERE o.n = 1) AS left_by,
        MIN(o.via) FILTER (WHERE o.n = 1) AS via, MIN(o.path) FILTER (WHERE o.n = 1) AS path,
        MIN(o.capability) FILTER (WHERE o.n = 1) AS capability, MIN(o.snapshot) FILTER (WHERE o.n = 1) AS snapshot,
        MIN(o.read_at) FILTER (WHERE o.n = 1) AS read_at, SUM(o.late) AS late, SUM(o.conditional) AS conditional
    FROM ordered o
    LEFT JOIN identities_seen i ON i.identity_ix = o.identity_ix
    GROUP BY o.system_ix, o.credential_ix, o.account_system_ix, o.account
)
SELECT a.system_ix AS system_ix, a.credential_ix AS credential_ix,
    CASE
        WHEN SUM(a.findings) > 0 THEN 'finding'
        WHEN SUM(a.unknowns) > 0 THEN 'unknown'
        WHEN SUM(a.too_new) > 0 THEN 'too_new'
        ELSE 'ok'
    END AS outcome,
    CASE WHEN SUM(a.certain) > 0 THEN 'certain' ELSE 'possible' END AS certainty,
    MIN(a.secret) AS secret, MIN(a.changed) AS changed, MIN(a.status) AS status, MAX(a.last_used_at) AS last_used_at,
    MIN(a.leaver) AS leaver, MIN(a.left_after) AS left_after, MIN(a.left_by) AS left_by, MIN(a.left_by) AS since,
    MIN(a.reader) AS reader, COUNT(*) FILTER (WHERE a.findings > 0) AS accounts, SUM(a.findings) AS leavers, MIN(a.via) AS via,
    MIN(a.path) AS path, MIN(a.capability) AS capability, MIN(a.snapshot) AS snapshot, MIN(a.read_at) AS read_at,
    SUM(a.late) AS read_after_the_end, SUM(a.conditional) AS under_condition
FROM by_account a
GROUP BY a.system_ix, a.credential_ix
