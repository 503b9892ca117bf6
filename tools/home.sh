# home.sh - a folder for Bazel, which keeps its cache under $HOME.  To be sourced; $root is the checkout.
#
# A container may not say where home is, or say a folder that cannot be written.
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
if ! [ -d "$HOME" ] || ! [ -w "$HOME" ]; then
    HOME=$root/.build/home
    mkdir -p "$HOME"
fi
export HOME
