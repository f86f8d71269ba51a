// [log]: what is said, and how.

import * as z from 'zod/mini';
import { choice, count, option, section } from '../option.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export const logModules = ['main', 'core', 'io', 'auth', 'control', 'store'] as const;

export const logSection = section('What is said on standard output, and how.', {
  level: choice({
    of: logLevels,
    default: 'info',
    reload: 'live',
    description: 'The least important level that is shown.',
  }),
  format: choice({
    of: ['auto', 'text', 'json'],
    default: 'auto',
    description: 'Readable text or one JSON object per line; auto: text on a terminal.',
  }),
  levels: option(
    () => z.partialRecord(z.enum(logModules), z.enum(logLevels)),
    {
      shape: 'table',
      unit: 'table of module = level',
      expected: `a level (${logLevels.join(', ')}) per module (${logModules.join(', ')})`,
    },
    {
      default: {},
      example: 'levels = { core = "debug", io = "warn" }',
      reload: 'live',
      description: `A level of its own per module: ${logModules.join(', ')}.`,
    },
  ),
  burst: count({
    default: 100,
    min: 1,
    max: 1_000_000,
    reload: 'live',
    description: 'Lines with the same cause per 10 s; the rest is counted and summed up.',
  }),
});
