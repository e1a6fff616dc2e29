// Prints what the suite asks of a proxy, one entry a test, as JSON.
import suites from 'http-cache-tests/tests/index.mjs'
import surrogateControl from 'http-cache-tests/tests/surrogate-control.mjs'

const tests = []
for (const suite of [...suites, surrogateControl]) {
  for (const test of suite.tests) {
    if (test.browser_only) continue
    tests.push({
      id: test.id,
      name: test.name,
      family: suite.name,
      kind: test.kind ?? 'required',
      depends_on: test.depends_on ?? []
    })
  }
}
console.log(JSON.stringify(tests))
