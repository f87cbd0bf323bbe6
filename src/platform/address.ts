/** Where a server is reached. */
import { isIPv6 } from 'node:net'

/** `http://host:port`; an IPv6 address is in brackets, so that its colons are not the port's (RFC 3986 §3.2.2). */
export function httpUrl(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`
}
