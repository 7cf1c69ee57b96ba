// Every format that is kept line by line.

import { amfora } from './amfora.ts'
import { bombadillo } from './bombadillo.ts'
import { geopard } from './geopard.ts'
import { gmni } from './gmni.ts'
import { goGemini } from './go-gemini.ts'
import type { KnownHostsFormat, LineFormat } from './known-host.ts'
import { lagrange } from './lagrange.ts'
import { ncgopher } from './ncgopher.ts'
import { telescope } from './telescope.ts'
import { wasat } from './wasat.ts'

/** All of them. */
export const LINE_FORMATS: readonly LineFormat[] = [
  lagrange,
  amfora,
  gmni,
  telescope,
  wasat,
  goGemini,
  geopard,
  ncgopher,
  bombadillo,
]

/** The format of this name; undefined for one that is not kept in lines. */
export function lineFormat(name: KnownHostsFormat): LineFormat | undefined {
  return LINE_FORMATS.find((format) => format.name === name)
}
