-- ---
-- id = "source-incomplete"
-- title = "Source that is missing, short or stale"
-- severity = "high"
-- confidence = "high"
-- grain = "run"
-- subject = "source"
-- needs = []
-- covered_by = ["system-without-source"]
-- message = "source `{system}`: {problems}"
-- description = """
-- A source is missing although expected, or although the register of systems says that it is in scope, carries a truncation marker or fewer rows than its control total, shrank
-- beyond the limit since its last complete snapshot, is older than its maximum age, lies too far from the other
-- snapshots, or has more rejected records than allowed. What cannot be judged because `as_of` was derived is
-- unknown."""
-- remedy = """
-- Export the source again, completely, and import it. Until then nothing about it is clean: what was open stays
-- open."""
-- false_positives = """
-- A source that shrank for a good reason: raise `max_drop` for one run, with that reason."""
-- controls = [
--     "soc2:CC2.1", "soc2:CC4.1", "nist-800-53:CA-7(6)", "nist-800-53:AU-6(3)", "iso-27001:5.36"]
-- ---
SELECT s.system AS system,
    CASE
        WHEN NOT s.present AND s.expected THEN 'finding'
        WHEN s.complete = 'no' OR s.fresh = 'no' OR s.in_step = 'no' OR s.within_rejects = 'no' THEN 'finding'
        WHEN NOT s.present THEN 'unknown'
        ELSE 'ok'
    END AS outcome,
    'certain' AS certainty,
    s.problems AS problems, s.expected AS expected, s.present AS present, s.complete AS complete, s.fresh AS fresh,
    s.in_step AS in_step, s.within_rejects AS within_rejects, s.rejected AS rejected, s.observed_at AS source_observed_at
FROM sources s
