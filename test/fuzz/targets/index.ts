// Every target there is.

import type { FuzzTarget } from '../engine/target.ts'
import * as der from './der.ts'
import * as keys from './keys.ts'
import * as lists from './lists.ts'
import * as names from './names.ts'
import * as stores from './stores.ts'
import * as wire from './wire.ts'

function targetsIn(module: object): FuzzTarget[] {
  return Object.values(module).flatMap((each: FuzzTarget | readonly FuzzTarget[]) => each)
}

/** The targets, in groups that take about as long as one another. */
export const GROUPS: Readonly<Record<string, readonly FuzzTarget[]>> = {
  names: targetsIn(names),
  lists: targetsIn(lists),
  wire: targetsIn(wire),
  der: targetsIn(der),
  keys: targetsIn(keys),
  stores: targetsIn(stores),
}

export const TARGETS: readonly FuzzTarget[] = Object.values(GROUPS).flat()

/** @throws {RangeError} If there is none of this name. */
export function targetOf(name: string): FuzzTarget {
  const found = TARGETS.find((each) => each.name === name)
  if (found === undefined)
    throw new RangeError(`there is no target ${name}; there are ${TARGETS.map((each) => each.name).join(', ')}`)
  return found
}
