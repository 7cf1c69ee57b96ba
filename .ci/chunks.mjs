// Which modules go into one file together.
//
// What an import costs is the bytes that are read and the number of files. One file for each set of entry points that
// share a module is least in bytes, but makes forty files for the front door. So such sets are merged for as long as all
// entry points together become cheaper: never into a cycle, and never so that an entry point gets what it must not have.

/** What one more file costs on Node 20, in bytes that could be read instead: half a millisecond. */
const FILE = 20_000

/** How much the import of an entry point matters. Most programs import the front door. */
const weightOf = (entry) => (entry === 'index' ? 10 : 1)

/**
 * @param modules - Of each, `{ id, size, imports, entries }`: `entries` are the entry points that reach it.
 * @param mayLoad - Whether an entry point that does not need a module may get it.
 * @returns The name of the file for each module's id.
 */
export function assignChunks(modules, mayLoad) {
  const sets = new Map()
  for (const module of modules) {
    const key = [...module.entries].sort().join(' ')
    sets.set(key, [...(sets.get(key) ?? []), module])
  }
  const home = new Map([...sets.values()].flatMap((members, index) => members.map(({ id }) => [id, index])))
  let chunks = [...sets.values()].map((members, index) => ({
    members,
    sets: [index],
    size: members.reduce((sum, { size }) => sum + size, 0),
    entries: new Set(members[0].entries),
    imports: new Set(members.flatMap((member) => member.imports.flatMap((id) => home.get(id) ?? []))),
    isFor: (entry) => members[0].entries.includes(entry) || members.every(({ id }) => mayLoad(entry, id)),
  }))
  let cost = costOf(chunks)
  for (;;) {
    let best = { cost }
    for (const [index, first] of chunks.entries()) {
      for (const second of chunks.slice(index + 1)) {
        const merged = [...chunks.filter((chunk) => chunk !== first && chunk !== second), merge(first, second)]
        const mergedCost = costOf(merged)
        if (mergedCost < best.cost) best = { chunks: merged, cost: mergedCost }
      }
    }
    if (best.chunks === undefined) return named(chunks)
    chunks = best.chunks
    cost = best.cost
  }
}

function merge(first, second) {
  return {
    members: [...first.members, ...second.members],
    sets: [...first.sets, ...second.sets],
    size: first.size + second.size,
    entries: new Set([...first.entries, ...second.entries]),
    imports: new Set([...first.imports, ...second.imports]),
    isFor: (entry) => first.isFor(entry) && second.isFor(entry),
  }
}

/** What all entry points cost together; infinite where that must not be. */
function costOf(chunks) {
  const home = new Map(chunks.flatMap((chunk) => chunk.sets.map((set) => [set, chunk])))
  const imports = new Map(
    chunks.map((chunk) => [
      chunk,
      new Set([...chunk.imports].map((set) => home.get(set)).filter((to) => to !== chunk)),
    ]),
  )
  if (hasCycle(imports)) return Number.POSITIVE_INFINITY
  let cost = 0
  for (const entry of new Set(chunks.flatMap((chunk) => [...chunk.entries]))) {
    const loaded = new Set()
    const load = (chunk) => {
      if (loaded.has(chunk)) return
      loaded.add(chunk)
      for (const to of imports.get(chunk)) load(to)
    }
    for (const chunk of chunks) if (chunk.entries.has(entry)) load(chunk)
    for (const chunk of loaded) {
      if (!chunk.isFor(entry)) return Number.POSITIVE_INFINITY
      cost += (chunk.size + FILE) * weightOf(entry)
    }
  }
  return cost
}

function hasCycle(imports) {
  const done = new Set()
  const open = new Set()
  const visit = (chunk) => {
    if (done.has(chunk)) return false
    if (open.has(chunk)) return true
    open.add(chunk)
    const found = [...imports.get(chunk)].some(visit)
    done.add(chunk)
    return found
  }
  return [...imports.keys()].some(visit)
}

/** After the folder that most of its code is from. */
function named(chunks) {
  const names = new Map()
  const taken = new Map()
  for (const { members } of chunks) {
    const sizes = new Map()
    for (const { id, size } of members) {
      const folder = /[\\/]src[\\/](\w+)[\\/]/.exec(id)?.[1] ?? 'base'
      sizes.set(folder, (sizes.get(folder) ?? 0) + size)
    }
    const [[folder]] = [...sizes].sort((a, b) => b[1] - a[1])
    const count = (taken.get(folder) ?? 0) + 1
    taken.set(folder, count)
    for (const { id } of members) names.set(id, count === 1 ? folder : `${folder}-${count}`)
  }
  return names
}
