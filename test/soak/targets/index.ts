import { command } from './command.ts'
import { gemini } from './gemini.ts'
import { misfin } from './misfin.ts'
import { scroll } from './scroll.ts'
import { spartan } from './spartan.ts'
import type { Target } from './target.ts'
import { titan } from './titan.ts'

/** By the name that a run is asked for. */
export const targets: Readonly<Record<string, Target>> = { gemini, titan, scroll, spartan, misfin, command }

export function targetCalled(name: string): Target {
  const target = targets[name]
  if (target === undefined) throw new RangeError(`there is no ${name}: ${Object.keys(targets).join(', ')}`)
  return target
}
