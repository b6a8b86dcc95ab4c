from runner import Stratgy
