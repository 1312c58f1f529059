/** Web framework; `Hono.request()` tests an app without a socket. @module */

export { type Context, Hono } from "npm:hono@4.13.19";
export { bodyLimit } from "npm:hono@4.13.19/body-limit";
export { getCookie, setCookie } from "npm:hono@4.13.19/cookie";
