/**
 * Notices that a teacher answers as another model than before. Routers and gateways replace a model
 * in the middle of a run, and name the new one only in the answer.
 *
 * @module
 */

import type { Completion, Teacher } from "../../teacher/mod.ts";

/** A router that chooses among many models would be reported on and on. */
const MAX_NOTICES = 3;

interface Answering {
  /** The model of the latest answer. */
  latest: string;
  readonly earlier: Set<string>;
}

export class AnsweringModels {
  readonly #byTeacher = new Map<Teacher, Answering>();

  /** Called for each answer to a row that names no model itself. Returns a notice for each model
   * that answers later than another. */
  noticeOf(teacher: Teacher, { model }: Completion): string | undefined {
    const answering = this.#byTeacher.get(teacher);
    if (answering === undefined) {
      if (model) this.#byTeacher.set(teacher, { latest: model, earlier: new Set([model]) });
      return undefined;
    }
    const { latest, earlier } = answering;
    if (model === latest || !model) return undefined;
    answering.latest = model;
    if (earlier.has(model) || earlier.size > MAX_NOTICES) return undefined;
    earlier.add(model);
    return `Answers of the teacher${
      teacher.address ? ` at ${teacher.address}` : ""
    } now name the ` +
      `model "${model}", earlier ones "${latest}": the results hold both (model_returned, as in ` +
      `export --where 'model_returned == ${JSON.stringify(latest)}')`;
  }
}
