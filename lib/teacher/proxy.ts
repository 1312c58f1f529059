/**
 * The address of a proxy: checked before a run, without showing what it may hold.
 *
 * @module
 */

/**
 * Takes it apart; undefined where there is none. As for curl, an address without a scheme is one of
 * `http://`.
 *
 * @throws {TypeError} If it is no address, or its user name or password cannot be decoded.
 */
export function proxyUrl(proxy: string | undefined): URL | undefined {
  if (proxy === undefined || proxy === "") return undefined;
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(
      "Cannot use the proxy that was given: " +
        'it must be an address such as "http://proxy.example:3128"' +
        (url === null ? "" : `: its scheme is ${JSON.stringify(url.protocol)}`),
    );
  }
  if (!isDecodable(url.username) || !isDecodable(url.password)) {
    throw new TypeError(
      "Cannot use the proxy that was given: its user name and password must be percent-encoded, " +
        'with "%25" in place of each "%"',
    );
  }
  return url;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
