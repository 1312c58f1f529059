/**
 * A simulated teacher, served over HTTP, to try a run without paying.
 *
 * In: how slow, how faulty, how limited it is. Out: an OpenAI-compatible server. It never calls out.
 *
 * @module
 */

export { parseSimulateOptions, type SimulateOptions } from "./options.ts";
export {
  serveSimulatedTeacher,
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
} from "./simulated_teacher.ts";
