/**
 * A simulated teacher, served over HTTP, for runs that cost nothing.
 *
 * In: latency, faults and limits. Out: an OpenAI-compatible server. It calls no other server.
 *
 * @module
 */

export { parseSimulateOptions, type SimulateOptions } from "./options.ts";
export {
  serveSimulatedTeacher,
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
} from "./simulated_teacher.ts";
