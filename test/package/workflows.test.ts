import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

// The workflows decide what is published under our name, so they are held to rules: no rights but those that are needed,
// nothing of others that can change overnight, no secret, and no way from somebody's pull request into a release.

const folder = fileURLToPath(new URL('../../.github', import.meta.url))
const workflows = readdirSync(join(folder, 'workflows')).map((name) => ({
  name,
  text: readFileSync(join(folder, 'workflows', name), 'utf8'),
}))

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}
interface Job {
  readonly permissions?: unknown
  readonly environment?: unknown
  readonly 'timeout-minutes'?: unknown
  readonly 'runs-on'?: unknown
  readonly steps: readonly Step[]
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>
  readonly permissions: unknown
  readonly jobs: Readonly<Record<string, Job>>
}

/** The only rights to write, by file and job. */
const MAY_WRITE = ['release.yml publish id-token', 'release.yml announce contents']
const EVENTS = ['push', 'pull_request', 'schedule']
/** Whose actions run here. Everything else is a command that we wrote. */
const OWNERS = ['actions']

/** What a workflow does that it must not. */
function problemsOf(name: string, text: string): string[] {
  const { on, permissions, jobs } = parse(text) as Workflow
  const problems: string[] = []
  for (const event of Object.keys(on)) if (!EVENTS.includes(event)) problems.push(`it is started by ${event}`)
  if (JSON.stringify(permissions) !== '{}') problems.push('it does not begin without any rights')
  if (/\$\{\{[^}]*\bsecrets\b/.test(text)) problems.push('it reads a secret')
  for (const [id, job] of Object.entries(jobs)) {
    problems.push(...problemsOfJob(name, id, job).map((problem) => `${id}: ${problem}`))
  }
  for (const line of text.split('\n').filter((each) => /\buses:/.test(each))) {
    const [, owner = '', version] = /uses: ([\w-]+)\/[\w-]+@[0-9a-f]{40} # (v\d+\.\d+\.\d+)$/.exec(line) ?? []
    if (version === undefined) problems.push(`"${line.trim()}" is not pinned to a commit, with its version behind it`)
    else if (!OWNERS.includes(owner)) problems.push(`${owner} is nobody whose actions run here`)
  }
  return problems
}

function problemsOfJob(name: string, id: string, { permissions, steps, ...job }: Job): string[] {
  const problems: string[] = []
  if (typeof permissions !== 'object' || permissions === null) problems.push('its rights are not listed')
  else {
    for (const [right, value] of Object.entries(permissions)) {
      if (value !== 'read' && !MAY_WRITE.includes(`${name} ${id} ${right}`))
        problems.push(`it has the right ${right}: ${value}`)
    }
  }
  if (typeof job['timeout-minutes'] !== 'number') problems.push('it may run for hours')
  if (!/^ubuntu-\d\d\.\d\d$/.test(String(job['runs-on']))) problems.push('it does not say on which machine')
  for (const { uses = '', run = '', with: inputs = {} } of steps) {
    if (run.includes('${{')) problems.push('a command is put together from a text of others; pass it as a variable')
    if (/\bnpm (?:install|i|update|exec)\b|\bnpx\b|\bcurl\b/.test(run))
      problems.push('it fetches what is not in the lockfile')
    if (uses.startsWith('actions/checkout@') && inputs['persist-credentials'] !== false) {
      problems.push('the token stays on the disk after checkout')
    }
    if (uses.startsWith('actions/cache@') || 'cache' in inputs) problems.push('it takes something out of a cache')
    if (uses.startsWith('actions/setup-node@') && inputs['package-manager-cache'] !== false) {
      problems.push('Node comes with a cache')
    }
  }
  return problems
}

describe('workflows', () => {
  it.each(workflows)('keep the rules: $name', ({ name, text }) => {
    expect(problemsOf(name, text)).toEqual([])
  })

  it('have one commit for each version of an action', () => {
    const pins = workflows.flatMap(({ text }) => [...text.matchAll(/uses: ([\w/-]+)@(\w+) # (\S+)/g)])
    expect(pins.length).toBeGreaterThan(5)
    expect(new Set(pins.map(([, action]) => action)).size).toBe(new Set(pins.map(([whole]) => whole)).size)
  })
})

describe('the rules', () => {
  const expression = (text: string): string => `\${{ ${text} }}`
  const [ci = { name: '', text: '' }] = workflows.filter(({ name }) => name === 'ci.yml')

  // One thing is changed in each.
  it.each([
    ['on:\n', 'on:\n  pull_request_target:\n', 'started by pull_request_target'],
    ['permissions: {}', 'permissions: read-all', 'without any rights'],
    ['contents: read', 'contents: write', 'the right contents: write'],
    ['contents: read', 'id-token: write', 'the right id-token: write'],
    ['permissions:\n      contents: read', 'permissions: write-all', 'rights are not listed'],
    ['persist-credentials: false', 'fetch-depth: 1', 'token stays on the disk'],
    ['package-manager-cache: false', 'cache: npm', 'cache'],
    ['actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 #', 'actions/checkout@v7 #', 'not pinned'],
    ['actions/checkout@', 'attacker/checkout@', 'nobody whose actions'],
    ['# v7.0.1', '', 'with its version behind it'],
    ['run: npm test', `run: npm test ${expression('github.head_ref')}`, 'a text of others'],
    ['run: npm test', 'run: npx something', 'not in the lockfile'],
    ['CI: ""', `CI: ${expression('secrets.TOKEN')}`, 'reads a secret'],
    ['timeout-minutes: 90', 'concurrency: slow', 'for hours'],
    ['runs-on: ubuntu-24.04', 'runs-on: self-hosted', 'on which machine'],
  ])('find "%s" made "%s"', (good, bad, problem) => {
    expect(ci.text).toContain(good)
    expect(problemsOf('ci.yml', ci.text.replace(good, bad)).join('\n')).toContain(problem)
  })
})

describe('a release', () => {
  const text = workflows.find(({ name }) => name === 'release.yml')?.text ?? ''
  const { on, jobs } = parse(text) as Workflow

  it('is started by a tag and by nothing else', () => {
    expect(on).toEqual({ push: { tags: ['v*.*.*'] } })
  })

  it('is published by a job that runs no code of ours or of a package, and waits for a person', () => {
    const { publish } = jobs
    expect(publish?.environment).toBe('npm')
    expect(publish?.steps.filter(({ uses = '' }) => uses.startsWith('actions/checkout@'))).toEqual([])
    const commands = publish?.steps.flatMap(({ run }) => run ?? []) ?? []
    expect(commands).toEqual([
      'sha512sum --check SHA512SUMS',
      'npm publish ./*.tgz --provenance --access public --ignore-scripts',
    ])
  })

  it('is checked and built by jobs that cannot publish', () => {
    for (const name of ['check', 'build']) expect(jobs[name]?.permissions).toEqual({ contents: 'read' })
  })
})

describe('updates', () => {
  it('are proposed for packages and for actions, and not on the day they come out', () => {
    const { updates } = parse(readFileSync(join(folder, 'dependabot.yml'), 'utf8'))
    const proposed = updates.map((each: { 'package-ecosystem': string; cooldown: { 'default-days': number } }) => [
      each['package-ecosystem'],
      each.cooldown['default-days'] >= 7,
    ])
    expect(proposed).toEqual([
      ['npm', true],
      ['github-actions', true],
    ])
  })
})

describe('the policy for reports', () => {
  it('leads to a place that is there, and to no address that somebody made up', () => {
    const policy = readFileSync(join(folder, 'SECURITY.md'), 'utf8')
    expect(policy).toContain('Report a vulnerability')
    expect(policy).not.toMatch(/\S+@\S+\.\S+/)
  })
})
