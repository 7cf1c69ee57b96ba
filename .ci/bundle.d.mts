/** Writes the bundle into a folder. */
export function bundle(dir: string): Promise<void>
