"""``retinue completion``: what a shell needs to complete commands, flags, and names that exist."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

app = App(
    name="completion",
    help_epilogue="Names come from the control plane, within a second, and are remembered for a minute. "
    "Nothing is asked and nothing is printed but candidates; without a server, or where the token is in a "
    "keyring, which might ask, commands and flags are completed alone.",
)
_BASH = """\
# Retinue completion for bash: source <(retinue completion bash)
_retinue() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$(printf '%q' "$line")")
    done < <(retinue __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null)
    ((${#COMPREPLY[@]})) || compopt -o default
}
complete -F _retinue retinue
"""
_ZSH = """\
#compdef retinue
# Retinue completion for zsh: source <(retinue completion zsh)
_retinue() {
    local -a found
    found=("${(@f)$(retinue __complete "${(@)words[2,CURRENT]}" 2>/dev/null </dev/null)}")
    found=("${(@)found:#}")
    (( ${#found} )) && compadd -- "${(@)found}" || _files
}
compdef _retinue retinue
"""
_FISH = """\
# Retinue completion for fish: retinue completion fish | source
function __retinue_complete
    set -l words (commandline -opc)
    retinue __complete $words[2..] (commandline -ct) 2>/dev/null </dev/null
end
complete -c retinue -f -a '(__retinue_complete)'
"""
_POWERSHELL = """\
# Retinue completion for PowerShell: retinue completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName retinue -ScriptBlock {
    param($word, $tree, $cursor)
    $before = @($tree.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursor } |
        Select-Object -Skip 1 | ForEach-Object {
            if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value }
            else { $_.Extent.Text }
        })
    # An empty word is lost on the way to a program in Windows PowerShell, unless it is quoted twice.
    $last = if ($word) { $word } elseif ($PSNativeCommandArgumentPassing -in 'Standard', 'Windows') { '' }
        else { '""' }
    retinue __complete @before $last 2>$null | ForEach-Object {
        $text = if ($_ -match '[^\\w@%+=:,./*-]') { "'" + $_.Replace("'", "''") + "'" } else { $_ }
        [System.Management.Automation.CompletionResult]::new($text, $_, 'ParameterValue', $_)
    }
}
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}


@app.default
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish", "powershell"], Parameter(help="Which shell.")], /
) -> None:
    """Print the script that makes a shell complete `retinue`."""
    print(_SCRIPTS[shell], end="")
