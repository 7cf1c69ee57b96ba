import type { Command } from 'commander'
import { type Cli, newCommand } from '../command.ts'
import { addCheck } from './check.ts'
import { addFingerprint } from './fingerprint.ts'
import { addNew } from './new.ts'
import { addRenew } from './renew.ts'
import { addRotate } from './rotate.ts'
import { addShow } from './show.ts'

/** `tlacacoca cert …` */
export function certCommands(cli: Cli): Command {
  const group = newCommand(cli, 'cert').description('make certificates, look at them, check them and replace them')
  for (const add of [addNew, addShow, addCheck, addRenew, addRotate, addFingerprint]) add(cli, group)
  return group.addHelpText(
    'after',
    `
Examples:
  tlacacoca cert new example.org '*.example.org' --out /etc/capsule
  tlacacoca cert show cert.pem
  tlacacoca cert check cert.pem --key key.pem --host example.org --within 30
  tlacacoca cert renew cert.pem --key key.pem --days 730
  tlacacoca cert rotate cert.pem --key key.pem --out next
  tlacacoca cert fingerprint cert.pem --words`,
  )
}
