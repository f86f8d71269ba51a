// What each line is about: the whole broker, a listener, a bridge, a plugin. Within a file, options
// about one of these are about the last that was begun in the same file.

import { suggest } from '../suggest.ts';
import { Group } from './group.ts';
import type { Faults, Line } from './lines.ts';
import {
  accessOptions,
  aliases,
  bridgeOptions,
  foreignListenerOptions,
  foreignOptions,
  knownNames,
  listenerOptions,
  pluginOptions,
} from './options.ts';
import { settingOptions } from './settings.ts';
import { readFlag } from './values.ts';

/** A listener as the file describes it. */
export interface Draft {
  /** The line that begins it; null for the one that mosquitto has by itself. */
  readonly opening: Line | null;
  readonly options: Group;
}

interface Context {
  listener: Draft | null;
  bridge: boolean;
  /** The name of the plugin's file, without its directory and ending. */
  plugin: string | null;
}

export class Collected {
  readonly globals = new Group();
  /** Options about access where they are about the whole broker. */
  readonly access = new Group();
  /** The listener that `port` and `bind_address` are about. */
  readonly unnamed: Draft = { opening: null, options: new Group() };
  readonly listeners: Draft[] = [];
  readonly bridges: Line[] = [];
  readonly plugins: Line[] = [];
  readonly included: Line[] = [];
  /** The lines about per_listener_settings. */
  readonly perListenerLines: Line[] = [];
  perListener = false;
  private readonly faults: Faults;
  private readonly contexts = new Map<string, Context>();

  constructor(lines: readonly Line[], faults: Faults) {
    this.faults = faults;
    for (const line of lines) {
      if (line.value === '') faults.add(line, this.isKnown(line) ? 'expected a value' : UNKNOWN);
      else this.take(line, this.contextOf(line));
    }
  }

  private isKnown({ name }: Line): boolean {
    return settingOptions.has(name) || knownNames.includes(name) || isPluginOption(name);
  }

  private contextOf({ file }: Line): Context {
    const known = this.contexts.get(file);
    if (known !== undefined) return known;
    const fresh = { listener: null, bridge: false, plugin: null };
    this.contexts.set(file, fresh);
    return fresh;
  }

  private take(line: Line, context: Context): void {
    const name = Object.hasOwn(aliases, line.name) ? aliases[line.name] : line.name;
    const { options } = context.listener ?? this.unnamed;
    if (settingOptions.has(name) || Object.hasOwn(foreignOptions, name)) {
      this.globals.add(line, name);
    } else if (listenerOptions.has(name) || Object.hasOwn(foreignListenerOptions, name)) {
      options.add(line, name);
    } else if (accessOptions.has(name)) {
      (this.perListener ? options : this.access).add(line, name);
    } else if (bridgeOptions.has(name)) {
      if (!context.bridge) this.faults.add(line, 'expected a line "connection NAME" above it');
      this.bridges.push(line);
    } else if (isPluginOption(name)) {
      this.takePlugin(line, context, options);
    } else {
      this.takeBeginning(line, context);
    }
  }

  private takeBeginning(line: Line, context: Context): void {
    switch (line.name) {
      case 'listener':
        context.listener = { opening: line, options: new Group() };
        this.listeners.push(context.listener);
        return;
      case 'port':
      case 'bind_address':
        this.unnamed.options.add(line);
        return;
      case 'connection':
        context.bridge = true;
        this.bridges.push(line);
        return;
      case 'include_dir':
        this.included.push(line);
        return;
      case 'per_listener_settings':
        this.takePerListener(line);
        return;
      default: {
        const near = suggest(line.name, [...knownNames, ...settingOptions]);
        this.faults.add(line, near === null ? UNKNOWN : `${UNKNOWN}; did you mean ${near}?`);
      }
    }
  }

  private takePerListener(line: Line): void {
    this.perListenerLines.push(line);
    if (!readFlag(line, this.faults) || this.perListener) return;
    this.perListener = true;
    const [early] = this.access.lines;
    if (early === undefined) return;
    this.faults.add(line, `expected above ${early.name}, which it gives another meaning`);
  }

  /** The plugins that mosquitto brings along do what minnow does by itself. */
  private takePlugin(line: Line, context: Context, options: Group): void {
    const { name, value } = line;
    if (!name.includes('_opt_')) {
      if (name === 'plugin_use' || name === 'auth_plugin_deny_special_chars') {
        this.plugins.push(line);
        return;
      }
      const path = name === 'plugin_load' ? value.replace(/^\S+\s*/, '') : value;
      context.plugin = /([^/\\]*?)(?:\.\w+)?$/.exec(path)?.[1] ?? '';
      if (context.plugin === 'mosquitto_persist_sqlite') this.globals.add(line, 'persist_sqlite');
      else this.plugins.push(line);
      return;
    }
    if (context.plugin === null) this.faults.add(line, 'expected a line "plugin PATH" above it');
    const meant = name.replace(/^(?:auth|plugin)_opt_/, '');
    const own = meant === 'password_file' || meant === 'acl_file';
    if (!own || context.plugin !== `mosquitto_${meant}`) this.plugins.push(line);
    else (this.perListener ? options : this.access).add(line, meant);
  }
}

const UNKNOWN = 'unknown option';

function isPluginOption(name: string): boolean {
  return pluginOptions.has(name) || /^(?:auth|plugin)_opt_./.test(name);
}
