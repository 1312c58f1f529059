/**
 * The phrases with which models refuse to answer.
 *
 * @module
 */

/** How much of an answer is looked at: a refusal comes first, and a long answer may speak of one. */
const START = 200;

const PHRASES: readonly RegExp[] = [
  // "I'm sorry, but I can't help with that", "I cannot assist with this request"
  /^(?:(?:i['’]?m|i am) (?:really |very |so )?(?:sorry|afraid)|sorry|(?:my )?apologies|i apologi[sz]e|unfortunately|as an ai[^,.]*)?[,.]?\s*(?:but )?(?:that )?i\s*(?:can['’]?t|can ?not|won['’]?t|will not|(?:['’]?m|am) (?:not able|unable|not allowed|not permitted|not comfortable)|must decline|have to decline)\b[^.!?:;\n]{0,60}?\b(?:help|assist|provide|answer|comply|fulfil+|respond|engage|discuss|continue|create|generate|write|share|support|do (?:that|this)|with (?:that|this))/,
  // "I must decline this request"
  /^(?:(?:i['’]?m|i am) sorry|sorry|unfortunately)?[,.]?\s*(?:but )?i (?:must|have to|need to) (?:respectfully )?(?:decline|refuse)\b/,
  // "As an AI language model, I do not have"
  /^(?:(?:i['’]?m|i am) sorry|sorry)?[,.]?\s*(?:but )?as an ai(?: language)?(?: model| assistant)?,? i (?:can['’]?t|can ?not|do not|don['’]?t|am (?:not able|unable))/,
  // "This request violates …"
  /^(?:this|that|your) (?:request|prompt|content) (?:violates|goes against|is against)\b/,
  /^(?:非常|很)?(?:抱歉|对不起|不好意思)[，,。!！ ]*(?:但)?(?:我|作为)[^。！\n]{0,20}(?:无法|不能|不可以|没有办法|拒绝)/,
  /^(?:我|作为[^，,。]{0,20}[，,]?我?)(?:无法|不能)(?:提供|回答|协助|满足|帮助|参与|生成)/,
];

/** Whether an answer begins as refusals do. */
export function isRefusal(response: string): boolean {
  const start = response.slice(0, 2 * START).trimStart().slice(0, START).toLowerCase();
  return PHRASES.some((phrase) => phrase.test(start));
}
