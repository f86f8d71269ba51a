// Rules as the configuration, a token or an HTTP answer has them: plain values in, rules out.

import { filterValid, parseShare } from '../../mqtt/topic.ts';
import { actionWords, isPersonal, type Rule, type SubjectSpec, subjectOf } from './rule.ts';

export interface RuleSpec extends SubjectSpec {
  /** Words of `actionWords`; one of the two is given, and not empty. */
  readonly allow?: string | readonly string[] | undefined;
  readonly deny?: string | readonly string[] | undefined;
  readonly filter: string | readonly string[];
}

const listOf = (value: string | readonly string[]) => (typeof value === 'string' ? [value] : value);

/** `origin` is where the rule stands: "auth.rules.3". A rule with several filters is several. */
export function rulesOf(spec: RuleSpec, origin: string): Rule[] {
  const allow = listOf(spec.allow ?? []).length > 0;
  const words = listOf((allow ? spec.allow : spec.deny) ?? []);
  const actions = words.reduce((bits, word) => bits | (actionWords[word] ?? 0), 0);
  const subject = subjectOf(spec);
  return listOf(spec.filter).map(filter => ({
    allow,
    actions,
    filter,
    subject,
    names: isPersonal(filter) ? 'own' : null,
    origin,
    text: `${allow ? 'allow' : 'deny'} ${words.join(', ')} on ${filter} for ${whom(spec)}`,
  }));
}

function whom(spec: SubjectSpec): string {
  const subjects = ['user', 'client', 'certificate', 'address', 'listener'] as const;
  const about = subjects.flatMap(key => {
    const value = spec[key];
    const everybody = value === undefined || (key === 'user' ? value === '*' : value === '');
    return everybody ? [] : [`${key} "${value}"`];
  });
  return about.length === 0 ? 'everybody' : about.join(', ');
}

/** What a token or an answer says, which may be anything: the rules, or null when they are none. */
export function rulesFromOutside(value: unknown, origin: string): Rule[] | null {
  if (!Array.isArray(value) || value.length > OUTSIDE_RULES_MAX) return null;
  const rules: Rule[] = [];
  for (const [index, entry] of value.entries()) {
    if (!isOutsideSpec(entry)) return null;
    rules.push(...rulesOf(entry, `${origin}.${index}`));
  }
  return rules;
}

const OUTSIDE_RULES_MAX = 1_000;

function isOutsideSpec(value: unknown): value is RuleSpec {
  if (typeof value !== 'object' || value === null) return false;
  const { allow, deny, filter, ...others } = value as Record<string, unknown>;
  if ((allow === undefined) === (deny === undefined) || Object.keys(others).length > 0)
    return false;
  return areActions(allow ?? deny) && areFilters(filter);
}

export function areActions(value: unknown): value is string | string[] {
  const known = (word: unknown) => typeof word === 'string' && Object.hasOwn(actionWords, word);
  return known(value) || (Array.isArray(value) && value.length > 0 && value.every(known));
}

export function areFilters(value: unknown): value is string | string[] {
  const isFilter = (text: unknown) =>
    typeof text === 'string' && filterValid(text) && parseShare(text) === null;
  return isFilter(value) || (Array.isArray(value) && value.length > 0 && value.every(isFilter));
}
