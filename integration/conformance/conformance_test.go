package conformance

import (
	"maps"
	"slices"
	"testing"
)

// profile is a configuration that is measured.
type profile struct {
	name      string
	caddyfile string
	expected  string
}

var profiles = [...]profile{
	{"conformance", "Caddyfile", "expected.json"},
	{"defaults", "Caddyfile.defaults", "expected.defaults.json"},
}

// TestConformance runs the public suite and the additions in both profiles.
func TestConformance(t *testing.T) {
	suite := startSuite(t)
	added := additions()
	questions := slices.Clone(suite.questions)
	for _, a := range added {
		questions = append(questions, a.question())
	}
	unique(t, questions)
	if *onlyID != "" {
		showOne(t, suite, added)
		return
	}

	var results [len(profiles)]*result
	t.Run("profiles", func(t *testing.T) {
		for i, p := range profiles {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				results[i] = measure(t, p, suite, added, questions)
			})
		}
	})
	if slices.Contains(results[:], nil) {
		return // left out with -run, or ended early
	}
	deviations := readDeviations(t)
	for _, problem := range unreasoned(questions, results[0], deviations) {
		t.Error(problem)
	}
	card := scorecard(questions, results[0].outcomes, results[1].outcomes)
	t.Logf("scorecard\n%s", card)
	if *update {
		text := card + othersReach
		if len(deviations) > 0 {
			text += "\nWhere Cacheward chooses to differ:\n\n" + deviationList(deviations)
		}
		writeReadme(t, text)
	}
}

// result is what a profile made of all the questions.
type result struct {
	outcomes map[string]outcome
	findings map[string]finding
}

// measure puts all questions to one profile and compares the outcomes with those
// expected. What is not as expected is asked once more: many tests count seconds, of
// which a busy machine may take some, and those that are really another are that twice.
func measure(t *testing.T, p profile, suite *suite, added []addition, questions []question) *result {
	first := ask(t, p, suite, added, questions)
	if *update {
		writeExpected(t, p.expected, first.outcomes)
		return &first.result
	}
	expected := readExpected(t, p.expected)
	found := differences(expected, first.outcomes)
	if len(found) == 0 {
		return &first.result
	}
	second := ask(t, p, suite, added, questions)
	for i, d := range found {
		if now := second.outcomes[d.id]; now == d.want {
			t.Logf("%s, but %s when asked again", d, now)
			first.outcomes[d.id], first.findings[d.id] = now, second.findings[d.id]
			continue
		}
		t.Errorf("%s\n%s", d, second.findings[d.id])
		if run, ours := second.added[d.id]; ours {
			t.Log(run.exchange)
		} else if d.got != "" && i < 10 { // each takes seconds; ten tell enough
			t.Logf("the same test alone:\n%s", suite.exchange(t, second.proxy, d.id))
		}
	}
	return &first.result
}

// asked is one asking of all questions.
type asked struct {
	result
	added map[string]addedRun
	proxy string // in front of the suite's server
}

// ask puts all questions to a new instance of one profile.
func ask(t *testing.T, p profile, suite *suite, added []addition, questions []question) asked {
	t.Helper()
	origin := startOrigin(t, added)
	a := asked{proxy: startCacheward(t, p.caddyfile, suite.origin)}
	proxyOfOrigin := startCacheward(t, p.caddyfile, origin.address)
	a.findings = suite.run(t, a.proxy)
	a.added = runAdditions(t.Context(), added, origin, proxyOfOrigin)
	for id, run := range a.added {
		a.findings[id] = run.found
	}
	a.outcomes = outcomes(questions, a.findings)
	return a
}

// showOne runs one test alone, in the conformance profile.
func showOne(t *testing.T, suite *suite, added []addition) {
	if slices.ContainsFunc(suite.questions, func(q question) bool { return q.ID == *onlyID }) {
		t.Log(suite.exchange(t, startCacheward(t, profiles[0].caddyfile, suite.origin), *onlyID))
		return
	}
	added = slices.DeleteFunc(added, func(a addition) bool { return a.id != *onlyID })
	if len(added) == 0 {
		t.Fatalf("there is no test %q", *onlyID)
	}
	origin := startOrigin(t, added)
	for run := range maps.Values(runAdditions(t.Context(), added, origin, startCacheward(t, profiles[0].caddyfile, origin.address))) {
		t.Log(run.exchange)
		t.Log(run.found)
	}
}

// unique sees to it that no id stands for two tests, and that dependencies exist.
func unique(t *testing.T, questions []question) {
	t.Helper()
	seen := map[string]bool{}
	for _, q := range questions {
		if seen[q.ID] {
			t.Errorf("two tests are called %s", q.ID)
		}
		seen[q.ID] = true
	}
	for _, q := range questions {
		for _, id := range q.DependsOn {
			if !seen[id] {
				t.Errorf("%s depends on %s, which does not exist", q.ID, id)
			}
		}
	}
}
