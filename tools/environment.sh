# environment.sh - what Bazel and the compilers have to find around them.  To be sourced; $root is the
# checkout.

export LC_ALL=C.UTF-8 # tools/test.sh looks for what they say in English

# is_plain PATH: whether Bazel works in it.
is_plain() {
    [[ $1 != *[!\!-~]* ]] # neither a space nor a letter beyond ASCII
}

# Bazel's cache is under $HOME; a container may not say where that is, or say what cannot be written.
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
if ! [ -d "$HOME" ] || ! [ -w "$HOME" ] || ! is_plain "$HOME"; then
    HOME=$root/.build/home
fi
export HOME
