/**
 * A WebSocket with header fields, like a browser with a session.
 *
 * @module
 */

/** Opens a WebSocket that sends these header fields. The type of `WebSocket` that browsers share,
 * which the modules of the page bring in, knows none; Deno's takes them. */
export function openWebSocket(url: string, headers: Readonly<Record<string, string>>): WebSocket {
  return Reflect.construct(WebSocket, [url, { headers }]);
}
