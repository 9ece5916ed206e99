/** Shells for which there is a script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

type Shell = (typeof SHELLS)[number];

/** The line of the helper's answer that means file names. */
export const FILES_LINE = ":files";

/**
 * Each script asks `millrace completion --words -- LINE` what may stand at the cursor. The answer
 * has one word per line, followed by a tab and a description. So a script never goes stale, and
 * knows the existing datapaths.
 */

const BASH = `# millrace: completion for bash. In ~/.bashrc: eval "$(millrace completion bash)"
_millrace() {
  local current=\${COMP_WORDS[COMP_CWORD]} line word glue= option= whole=
  local -a args=()
  COMPREPLY=()
  # bash takes --dp=lab0 for three words, and replaces the last one of them.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [ "$word" = "=" ] && [ \${#args[@]} -gt 0 ]; then args[-1]+="="; glue=1
    elif [ -n "$glue" ]; then args[-1]+=$word; glue=
    else args+=("$word"); fi
  done
  if [[ \${args[-1]} == --*=* ]]; then
    option=\${args[-1]%%=*}= current=\${args[-1]#*=}
    # Unless it was told not to: then it replaces the whole.
    [[ $COMP_WORDBREAKS == *=* ]] || { whole=$option; option=; }
  fi
  while IFS= read -r line; do
    if [ "$line" = "${FILES_LINE}" ]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$whole$line"); done < <(compgen -f -- "$current")
    else
      line=\${line%%$'\\t'*}
      COMPREPLY+=("\${line#"$option"}")
    fi
  done < <("\${COMP_WORDS[0]}" completion --words -- "\${args[@]}" 2>/dev/null)
}
complete -F _millrace millrace
`;

const ZSH = `#compdef millrace
# millrace: completion for zsh. In ~/.zshrc, after compinit: eval "$(millrace completion zsh)"
_millrace() {
  local line files=0
  local -a found
  while IFS= read -r line; do
    if [[ $line == ${FILES_LINE} ]]; then files=1; continue; fi
    found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done < <("\${words[1]}" completion --words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && _describe millrace found
  # The name of the file begins behind the = of --option=FILE.
  if (( files )); then
    [[ $words[CURRENT] == --*=* ]] && compset -P 1 '*='
    _files
  fi
  return 0
}
compdef _millrace millrace
`;

const FISH = `# millrace: completion for fish. In ~/.config/fish/config.fish: millrace completion fish | source
function __millrace_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] completion --words -- $words[2..-1] 2>/dev/null)
    if test "$line" = "${FILES_LINE}"
      # The name of the file begins behind the = of --option=FILE.
      set -l parts (string match -r '^(--[^=]*=)(.*)$' -- (commandline -ct))
      if set -q parts[3]
        for path in (__fish_complete_path $parts[3])
          echo $parts[2]$path
        end
      else
        __fish_complete_path (commandline -ct)
      end
    else
      echo $line
    end
  end
end
complete -c millrace -f -a '(__millrace_complete)'
`;

/** The script that makes a shell complete millrace's command lines. */
export function completionScript(shell: Shell): string {
  return { bash: BASH, zsh: ZSH, fish: FISH }[shell];
}
