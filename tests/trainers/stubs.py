"""Stands in for packages that are too large to install for a test, such as torch: their names can be imported."""

import importlib.abc
import importlib.machinery
import sys
import types


class Anything:
    """A class, a function, a decorator: whatever it is used as while modules are loaded."""

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return args[0] if args and callable(args[0]) else Anything()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __getitem__(self, item):
        return self

    def __bool__(self):
        return False


class Stub(types.ModuleType):
    __path__ = []
    __version__ = "99.0.0"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Anything,), {}) if name[:1].isupper() else Anything()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names):
        self.names = set(names)

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return Stub(spec.name)

    def exec_module(self, module):
        pass


def stub(*names):
    sys.meta_path.insert(0, Finder(names))


def bare_package(name, folder):
    """A package without what its __init__ would load."""
    package = types.ModuleType(name)
    package.__path__ = [folder]
    sys.modules[name] = package


def forget(*names):
    """Takes stubs back once everything is imported: datasets asks torch what it is to pickle."""
    for name in [name for name in sys.modules if name.split(".")[0] in names]:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
