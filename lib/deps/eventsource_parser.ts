/** Server-sent events. @module */

export {
  createParser,
  type EventSourceMessage,
  type ParseError,
} from "npm:eventsource-parser@4.1.3";
