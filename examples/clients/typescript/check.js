// Checks the generated types, and what they promise against a running gateway: `make clients ARGS=typescript`.

import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { GATEWAY, TOKENS, check, overloaded, recordingFetch, run } from '../shared/check.js'

/** Runs a program of the folder's packages, and returns what it complains of; empty if it does not. */
function complaints(program, ...words) {
  try {
    execFileSync('node', [`node_modules/${program}`, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    return ''
  } catch (failed) {
    return `\n${failed.stdout}${failed.stderr}`.trimEnd()
  }
}

rmSync('generated', { recursive: true, force: true })

await run({
  async 'types are generated'() {
    const preset = complaints('@graphql-codegen/cli/cjs/bin.js', '--config', 'codegen.ts', '--silent')
    check(!preset, `the client preset writes types${preset}`)
    const tada = complaints('gql.tada/bin/cli.js', 'generate-output')
    check(!tada, `gql.tada writes types${tada}`)
    const strict = complaints('typescript/bin/tsc', '--strict', '--project', '.')
    check(!strict, `tsc --strict passes over both, and finds the four mistakes that were made on purpose${strict}`)
  },

  async 'types tell the truth'() {
    let token = TOKENS.EXPIRED
    const recorded = recordingFetch([() => undefined, overloaded])
    const gateway = {
      url: GATEWAY,
      fetch: recorded.fetch,
      getToken: () => token,
      refreshToken: async () => { token = TOKENS.ADMIN },
    }
    const desk = await import('./generated/js/src/desk.js')
    const codegen = await desk.withCodegen(gateway, 'C-100001'), tada = await desk.withTada(gateway, 'C-100001')
    check(codegen && codegen === tada && codegen.endsWith('number string'), `both read the same customer: ${codegen}`)
    const statuses = recorded.sent.map((request) => request.status)
    check(String(statuses) === '401,503,200,200', `a new token after ${statuses[0]}, a pause after ${statuses[1]}`)
  },
})
