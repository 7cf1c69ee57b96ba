import { expect, it } from 'vitest'
import { loadSqlite, problemOf } from '../../src/internal/sqlite-driver.ts'

const hooked = () => true
const plain = () => false

// What npm takes: 12 for Node 20, 13 for what is newer.
it.each([
  { node: '20.19.0', napi: '9', driver: '12.11.1', hasHooks: plain },
  { node: '22.14.0', napi: '10', driver: '13.2.0', hasHooks: plain },
  { node: '24.21.0', napi: '10', driver: '13.2.0', hasHooks: plain },
  { node: '26.12.1', napi: '10', driver: '13.2.0', hasHooks: plain },
  // What was compiled with headers of before runs everywhere, as does what comes compiled.
  { node: '24.21.0', napi: '10', driver: '12.11.1', hasHooks: plain },
  // There the hooks are taken back by another way.
  { node: '26.4.0', napi: '10', driver: '12.11.1', hasHooks: hooked },
  { node: '28.0.0', napi: '11', driver: '12.11.1', hasHooks: hooked },
])('takes better-sqlite3 $driver in Node $node', (facts) => {
  expect(problemOf(facts)).toBeNull()
})

it.each([
  { node: '20.20.2', napi: '9', driver: '13.2.0', hasHooks: plain, advice: /install better-sqlite3@12/ },
  { node: '22.13.1', napi: '9', driver: '13.0.0', hasHooks: plain, advice: /Node 22\.14/ },
  { node: '22.13.1', napi: undefined, driver: '14.0.0', hasHooks: plain, advice: /Node 22\.14/ },
  { node: '24.21.0', napi: '10', driver: '12.11.1', hasHooks: hooked, advice: /install better-sqlite3@13/ },
  { node: '24.18.1', napi: '10', driver: '12.11.1', hasHooks: hooked, advice: /install better-sqlite3@13/ },
  { node: '26.3.1', napi: '10', driver: '11.10.0', hasHooks: hooked, advice: /install better-sqlite3@13/ },
])('refuses better-sqlite3 $driver in Node $node, which would end the process', ({ advice, ...facts }) => {
  expect(problemOf(facts)).toMatch(advice)
  expect(problemOf(facts)).toContain(`better-sqlite3 ${facts.driver}`)
})

it('does not read the addon where it makes no difference', () => {
  const unread = () => {
    throw new Error('it was read')
  }
  for (const node of ['20.20.2', '26.4.0']) {
    expect(problemOf({ node, napi: '9', driver: '12.11.1', hasHooks: unread })).toBeNull()
  }
})

it('loads what is installed here', async () => {
  const SQLite = await loadSqlite()
  const db = new SQLite(':memory:')
  expect(db.prepare('SELECT 1').pluck().get()).toBe(1)
  db.close()
})
