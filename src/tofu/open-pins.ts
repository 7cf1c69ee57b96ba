import { HashedPinStore } from './hashed-pin-store.ts'
import type { PinStore } from './pin-store.ts'
import { SqlitePinStore, type SqlitePinStoreOptions } from './sqlite-pin-store.ts'

/** Pins in a file, by their names even if the file has hashes only. */
export interface OpenPins {
  readonly store: PinStore
  readonly path: string
  readonly degraded: SqlitePinStore['degraded']
}

/** Opens a file of pins. One that hashes names goes on doing so, whatever is asked for. */
export async function openPins(
  path: string,
  options: SqlitePinStoreOptions & { readonly hashNames?: boolean },
): Promise<OpenPins> {
  const { pins, nameKey } = await SqlitePinStore.openFile(path, options)
  const store = nameKey === null ? pins : new HashedPinStore(pins, nameKey)
  return { store, path: pins.path, degraded: pins.degraded }
}
