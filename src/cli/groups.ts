import { caCommands } from './ca/index.ts'
import { certCommands } from './cert/index.ts'
import { completionCommand } from './completion/index.ts'
import { getCommand } from './get/index.ts'
import { identityCommands } from './identity/index.ts'
import { probeCommand } from './probe/index.ts'
import type { CommandGroup } from './program.ts'
import { serveCommand } from './serve/index.ts'
import { tofuCommands } from './tofu/index.ts'

/** Every group of commands, in the order in which help lists them. */
export const groups: readonly CommandGroup[] = [
  certCommands,
  tofuCommands,
  identityCommands,
  caCommands,
  getCommand,
  probeCommand,
  serveCommand,
  completionCommand,
]
