import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** So many ports of the loopback interface that nobody has now, for programs that cannot choose one themselves. */
export async function freePorts(count: number): Promise<number[]> {
  const holders = Array.from({ length: count }, () => createServer())
  const ports: number[] = []
  for (const holder of holders) {
    holder.listen(0, '127.0.0.1')
    await once(holder, 'listening')
    ports.push((holder.address() as AddressInfo).port)
  }
  for (const holder of holders) await once(holder.close(), 'close')
  return ports
}
